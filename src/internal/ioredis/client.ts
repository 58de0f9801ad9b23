/**
 * Makes ioredis clients, one kind for each role, so that none can hang, resend or leak.
 *
 * Defaults of ioredis that are replaced here, each after it was seen to cause harm:
 * - It resends commands after a reconnect: a lost reply to `XADD` then creates two entries. With `maxRetriesPerRequest`
 *   set to 0, the command fails when the connection ends, and the caller decides.
 * - `autoResendUnfulfilledCommands: false`, the documented alternative, leaves promises unsettled forever in 6.0.
 * - It waits for replies without a limit, even on a connection whose peer vanished silently.
 * - RESP3 replies have different shapes from `call` than from the methods, so RESP2 is requested.
 * - Its ready check needs `INFO` and queues commands while the server loads, for minutes. Without it, commands fail
 *   with `LOADING`, which callers handle.
 */
import * as Effect from "effect/Effect"
import { symbolRedactable } from "effect/Redactable"
import { Redis as Client, type RedisOptions } from "ioredis"
import { failureOfMessage } from "../redis/failure.ts"
import { type Attempts, prepareAttempts } from "./attempt.ts"
import { AttemptError, describe, notInTime } from "./error.ts"
import { type Handshake, listen, prepareHandshake } from "./handshake.ts"
import { later, patiently } from "./timer.ts"
import { destroy } from "./watchdog.ts"

/** Our clients must not show the password when they are logged: by Node, as JSON or by Effect. */
const conceal = (client: Client): void => {
  const summary = () => ({ _id: "ioredis", status: client.status, name: client.options.connectionName })
  for (const key of [Symbol.for("nodejs.util.inspect.custom"), "toJSON", symbolRedactable]) {
    Object.defineProperty(client, key, { value: summary, enumerable: false })
  }
}

/** ioredis's options as its constructor takes them. The kind of replies is part of the client's type. */
export type ClientOptions = RedisOptions & {
  readonly replyMapping: "legacy"
  readonly lazyConnect: true
}

/** Preparations that ioredis has no options for. */
export interface Preparation extends Attempts, Handshake {
  readonly keepAlive: boolean | undefined
}

/**
 * Makes a client that is not connected yet. It has an `error` listener, because ioredis otherwise writes errors to the
 * console.
 */
export const makeClient = (
  options: ClientOptions,
  preparation: Preparation,
  onError: (cause: unknown) => void
): Client => {
  const client = new Client(options)
  prepareAttempts(client, preparation)
  prepareHandshake(client, preparation)
  // ioredis has no value for "off", and an omitted option gets its default.
  if (preparation.keepAlive === false) client.options.keepAlive = undefined
  listen(client, onError)
  conceal(client)
  return client
}

/** Why a connection failed. */
export interface OpenFailure {
  readonly cause: unknown
}

/** How long to wait before a server that is not ready is asked again, in milliseconds. */
const askAgain = 100

/**
 * Whether the failure is temporary while servers start: a server loads its data, or the Sentinels do not know it yet.
 */
const isNotYet = (cause: unknown): boolean =>
  cause instanceof AttemptError
    ? cause.failure.reason === "UnknownMaster"
    : failureOfMessage(describe(cause).message) === "Loading"

/**
 * Connects within the given number of milliseconds of real time, because network time is not Effect's clock. A client
 * that does not connect in time is ended.
 *
 * With `patient`, the connection counts as open once a `PING` is answered, and it waits for a server that is not ready
 * yet.
 */
export const open = (
  options: {
    readonly client: (onError: (cause: unknown) => void) => Client
    readonly within: number
    readonly patient?: boolean
    /** Called at the moment when the connection is open. */
    readonly onOpen?: () => void
  }
): Effect.Effect<Client, OpenFailure> =>
  Effect.callback<Client, OpenFailure>((resume) => {
    const { onOpen, patient = false, within } = options
    let first: unknown
    let latest: unknown
    let settled = false
    let client: Client
    try {
      // Later errors only follow from the first ("Connection is closed.").
      client = options.client((cause) => first ??= cause)
    } catch (cause) {
      const advice = "the Connector of the options threw it"
      resume(Effect.fail({
        cause: new AttemptError({ reason: "Unsupported", detail: describe(cause).message, advice })
      }))
      return
    }

    const end = (): void => {
      settled = true
      cancel()
      destroy(client)
    }
    const fail = (cause: unknown): void => {
      if (settled) return
      end()
      resume(Effect.fail({ cause }))
    }
    const passes = async (step: () => Promise<unknown>): Promise<void> => {
      for (;;) {
        if (settled) return
        try {
          await step()
          // A failed `SELECT` is only reported as an event, and the connection would continue in database 0.
          if (first === undefined) return
        } catch (cause) {
          first ??= cause
        }
        if (!patient || !isNotYet(first)) throw first
        latest = first
        first = undefined
        await new Promise<void>((resume) => later(askAgain, resume))
      }
    }
    const connect = async (): Promise<void> => {
      await passes(() => client.connect())
      if (patient) await passes(() => client.ping())
    }

    const opening = connect()
    // Set after the attempt's own limit, whose error is more precise.
    const cancel = patiently(within, () => fail(first ?? latest ?? notInTime(within)))
    opening.then(() => {
      if (settled) return
      settled = true
      cancel()
      onOpen?.()
      resume(Effect.succeed(client))
    }, fail)
    return Effect.sync(end)
  })
