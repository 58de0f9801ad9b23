/**
 * A connection that comes back: the shared one for commands, and those of subscriptions.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { Redis as Client } from "ioredis"
import { failureOfMessage } from "../redis/failure.ts"
import { type Connection, destroy, type Greet, makeClient, makeConnection, open, type Send } from "./connection.ts"
import type { Servers } from "./connector.ts"
import { connectorCode, describe, sentinelCode } from "./error.ts"
import { reconnectDelay, type Resolved, roleOptions } from "./options.ts"
import { watch, watchAttempts } from "./watchdog.ts"

/**
 * Milliseconds between two looks for another master. Each look fails what waits for its reply, and callers that are refused
 * call again: without a pause between them the connection would never stand for long.
 */
const lookInterval = 2_000

/** A connection that lasts as long as its scope. */
export interface Lasting {
  readonly send: Send
  /** The current client. A new one takes over when it has ended. */
  readonly client: () => Client
}

export interface LastingOptions {
  readonly role: string
  readonly name: string
  /** Runs on the first connection, which counts as open once it resolves. */
  readonly greet?: Greet
  /** Called with every client before it connects. */
  readonly onClient?: (client: Client) => void
}

/**
 * Opens a connection for the life of the scope. The first attempt is the only one that can fail; later losses are repaired
 * until the scope closes, and logged when they begin, when their reason changes and when they end, never in between.
 *
 * After the loss of a socket ioredis reconnects by itself. It ends the client for good when the connector fails, when the
 * failover detector stops it, or when a user calls `quit`. Then a new client takes over.
 */
export const openLasting = Effect.fnUntraced(function*(resolved: Resolved, servers: Servers, options: LastingOptions) {
  const { name, role } = options
  const run = Effect.runForkWith(yield* Effect.context<never>())
  let client: Client | undefined
  let connection: Connection | undefined
  let ready = false
  let closing = false
  let lost = false
  let told = ""
  let latest: unknown
  let refused = -Infinity
  let looked = -Infinity
  let looking = false
  /** How many clients ended since the last one was ready, and how long the current one waits before it connects. */
  let renewals = 0
  let pause = 0

  // Before the first attempt, so that an interruption at any moment leaves no client behind.
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      closing = true
      if (client !== undefined) destroy(client)
      return connection?.close ?? Effect.void
    })
  )

  const lose = (): void => {
    if (!ready || closing || lost) return
    lost = true
    told = latest === undefined ? "closed by the server" : describe(latest).message
    run(Effect.logWarning(`Redis ${role} connection to ${resolved.address} lost (${told}), reconnecting`))
  }

  // A master that became a replica answers READONLY for ever; a new connection finds the new one. The command fails.
  const reconnectOnError = (error: Error): false | 1 => {
    if (!error.message.startsWith("READONLY")) return false
    const now = performance.now()
    if (now - refused > 2 * lookInterval) {
      run(Effect.logWarning(`Redis at ${resolved.address} takes no writes (READONLY), looking for its master`))
    }
    refused = now
    if (now - looked < lookInterval) return false
    looked = now
    looking = true
    servers.doubt()
    return 1
  }

  const failed = (cause: unknown): void => {
    latest = cause
    // A reason that differs from the one told (a password that was changed meanwhile) is news.
    const { code, message } = describe(cause)
    const news = code === sentinelCode || code === connectorCode || failureOfMessage(message, code) !== "Connection"
    if (lost && message !== told && news) {
      told = message
      run(Effect.logWarning(`Redis ${role} connection cannot come back: ${message}`))
    }
  }

  const make = (onError: (cause: unknown) => void): Client => {
    const made = makeClient(
      {
        ...roleOptions(resolved, name),
        ...servers.options(() => pause),
        reconnectOnError,
        retryStrategy: (attempt) => ready && !closing ? reconnectDelay(attempt) : null
      },
      resolved.keepAlive,
      (cause) => ready ? failed(cause) : onError(cause)
    )
    watch(made, resolved.replyTimeout)
    made.on("close", () => {
      // This end is ours; that of an attempt to connect again is not.
      if (looking) looking = false
      else lose()
    })
    made.on("ready", () => {
      latest = undefined
      renewals = 0
      pause = 0
      if (!lost) return
      lost = false
      run(Effect.logInfo(`Redis ${role} connection to ${resolved.address} is back`))
    })
    made.on("end", () => {
      if (made !== client || !ready || closing) return
      lose()
      renew()
    })
    options.onClient?.(made)
    client = made
    return made
  }

  /** The current client, replaced first if it has ended. */
  const renew = (): Client => {
    const ended = client!
    if (closing || ended.status !== "end") return ended
    // Its failover detector would keep its connections.
    destroy(ended)
    pause = reconnectDelay(++renewals)
    const next = make(() => {})
    watchAttempts(next, resolved.connectTimeout, () => pause)
    // A failure is reported by the `error` event.
    next.connect().catch(() => {})
    return next
  }

  const opened = yield* open({
    client: make,
    within: resolved.connectTimeout,
    // From here on a loss is repaired, even when it comes before this fiber goes on.
    greet: (client, note) =>
      Promise.resolve(options.greet?.(client, note)).then(() => {
        watchAttempts(client, resolved.connectTimeout, () => 0)
        ready = true
      })
  })
  connection = makeConnection(opened, { renew })
  yield* probe(renew, resolved.healthCheckInterval)
  return { client: renew, send: connection.send } satisfies Lasting
})

/** Asks on an idle connection, so that {@link watch} finds out about a peer that is gone. */
const probe = (
  current: () => Client,
  interval: Duration.Duration
): Effect.Effect<void, never, Scope.Scope> =>
  Duration.isZero(interval)
    ? Effect.void
    : Effect.tryPromise(() => {
      const client = current()
      return client.status === "ready" ? client.ping() : Promise.resolve("")
    }).pipe(
      // Its failure shows as the loss of the connection.
      Effect.ignore,
      Effect.repeat(Schedule.spaced(interval)),
      Effect.forkScoped,
      Effect.asVoid
    )

/** `PING` until it is answered otherwise than with `LOADING`; the limit of the first connection ends it. */
export const greetLoading: Greet = async (client, note) => {
  for (;;) {
    try {
      return await client.ping()
    } catch (cause) {
      if (failureOfMessage(describe(cause).message) !== "Loading") throw cause
      note(cause)
    }
    await new Promise((resume) => setTimeout(resume, 100))
  }
}
