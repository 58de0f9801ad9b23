/**
 * Connections of ioredis, one kind for each role, so that none can hang, resend or leak.
 *
 * What ioredis does by default and why it is not done here (each was seen to happen):
 * - It sends commands again after a reconnect: a lost reply to `XADD` then makes two entries. With
 *   `maxRetriesPerRequest: 0` the command fails when the connection ends, and the caller decides.
 * - `autoResendUnfulfilledCommands: false`, the documented way to the same, leaves promises unsettled for ever in 6.0.
 * - It waits for replies without limit, also on a connection whose other end is gone without a word.
 * - RESP3 replies come in other shapes from `call` than from the methods: RESP2 is asked for.
 * - Its ready check needs `INFO` and holds commands back while the server loads, for minutes; without it they are
 *   answered `LOADING`, which callers know how to treat.
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

/** A client of ours must not show its password when somebody logs it: to Node, to JSON, to Effect. */
const conceal = (client: Client): void => {
  const summary = () => ({ _id: "ioredis", status: client.status, name: client.options.connectionName })
  for (const key of [Symbol.for("nodejs.util.inspect.custom"), "toJSON", symbolRedactable]) {
    Object.defineProperty(client, key, { value: summary, enumerable: false })
  }
}

/** ioredis's options as its constructor takes them: the kind of replies is part of the client's type. */
export type ClientOptions = RedisOptions & {
  readonly replyMapping: "legacy"
  readonly lazyConnect: true
}

/** What ioredis has no options for. */
export interface Preparation extends Attempts, Handshake {
  readonly keepAlive: boolean | undefined
}

/** A client that is not connected yet. An `error` listener is attached: without one ioredis writes to the console. */
export const makeClient = (
  options: ClientOptions,
  preparation: Preparation,
  onError: (cause: unknown) => void
): Client => {
  const client = new Client(options)
  prepareAttempts(client, preparation)
  prepareHandshake(client, preparation)
  // ioredis has no value for "off": an absent option becomes its default.
  if (preparation.keepAlive === false) client.options.keepAlive = undefined
  listen(client, onError)
  conceal(client)
  return client
}

/** Why no connection came about. */
export interface OpenFailure {
  readonly cause: unknown
}

/** Milliseconds before a server that is not ready yet is asked again. */
const askAgain = 100

/** It passes by itself while servers start: one reads its data, or the Sentinels have not heard of it. */
const isNotYet = (cause: unknown): boolean =>
  cause instanceof AttemptError
    ? cause.failure.reason === "UnknownMaster"
    : failureOfMessage(describe(cause).message) === "Loading"

/**
 * Connects within so many milliseconds of real time, not of Effect's clock: it is the time of the network. A client that
 * does not get this far is ended.
 *
 * With `patient` the connection counts as open once a `PING` is answered, and a server that is not ready yet is waited for.
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
      // Later ones are mere consequences ("Connection is closed.").
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
          // A `SELECT` that failed is only reported as an event, and the connection would go on in database 0.
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
    // Set after the attempt's own limit, which knows better what is waited for.
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
