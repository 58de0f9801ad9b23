/**
 * A connection that comes back: the shared one for commands, and those of subscriptions.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { Redis as Client } from "ioredis"
import { failureOfMessage } from "../redis/failure.ts"
import { type Connection, destroy, type Greet, makeClient, makeConnection, open } from "./connection.ts"
import { describe } from "./error.ts"
import { reconnectDelay, type Resolved, roleOptions } from "./options.ts"

/**
 * Milliseconds between two looks for another master. Each look fails what waits for its reply, and callers that are refused
 * call again: without a pause between them the connection would never stand for long.
 */
const lookInterval = 2_000

/**
 * Opens a connection for the life of the scope. The first attempt is the only one that can fail; later losses are repaired
 * until the scope closes, and logged when they begin, when their reason changes and when they end, never in between.
 */
export const openLasting = Effect.fnUntraced(function*(
  resolved: Resolved,
  role: string,
  name: string,
  greet?: Greet
) {
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

  // Before the first attempt, so that an interruption at any moment leaves no client behind.
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      closing = true
      if (connection !== undefined) return connection.close
      if (client !== undefined) destroy(client)
      return Effect.void
    })
  )

  const make = (onError: (cause: unknown) => void) => {
    const made = makeClient(
      {
        ...roleOptions(resolved, name),
        socketTimeout: resolved.replyTimeout,
        // A master that became a replica answers READONLY for ever; a new connection finds the new one. The command fails.
        reconnectOnError: (error) => {
          if (!error.message.startsWith("READONLY")) return false
          const now = performance.now()
          if (now - refused > 2 * lookInterval) {
            run(Effect.logWarning(`Redis at ${resolved.address} takes no writes (READONLY), looking for its master`))
          }
          refused = now
          if (now - looked < lookInterval) return false
          looked = now
          looking = true
          return 1
        },
        retryStrategy: (attempt) => ready && !closing ? reconnectDelay(attempt) : null
      },
      resolved.keepAlive,
      (cause) => {
        latest = cause
        if (!ready) return onError(cause)
        // A reason that differs from the one told (a password that was changed meanwhile) is news.
        const { code, message } = describe(cause)
        if (lost && message !== told && failureOfMessage(message, code) !== "Connection") {
          told = message
          run(Effect.logWarning(`Redis ${role} connection cannot come back: ${message}`))
        }
      }
    )
    made.on("close", () => {
      if (!ready || closing || lost) return
      if (looking) {
        // This end is ours; that of an attempt to connect again is not.
        looking = false
        return
      }
      lost = true
      told = latest === undefined ? "closed by the server" : describe(latest).message
      run(Effect.logWarning(`Redis ${role} connection to ${resolved.address} lost (${told}), reconnecting`))
    })
    made.on("ready", () => {
      latest = undefined
      if (!lost) return
      lost = false
      run(Effect.logInfo(`Redis ${role} connection to ${resolved.address} is back`))
    })
    client = made
    return made
  }

  const opened = yield* open({
    client: make,
    within: resolved.connectTimeout,
    // From here on a loss is repaired, even when it comes before this fiber goes on.
    greet: (client, note) =>
      Promise.resolve(greet?.(client, note)).then(() => {
        ready = true
      })
  })
  connection = makeConnection(opened)
  yield* probe(opened, resolved.healthCheckInterval)
  return { client: opened, send: connection.send }
})

/** Asks on an idle connection, so that ioredis's socket timeout finds out about a peer that is gone. */
const probe = (client: Client, interval: Duration.Duration): Effect.Effect<void, never, Scope.Scope> =>
  Duration.isZero(interval)
    ? Effect.void
    : Effect.tryPromise(() => client.status === "ready" ? client.ping() : Promise.resolve("")).pipe(
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
