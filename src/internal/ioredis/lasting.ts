/** A connection that reconnects: the shared one for commands, and those of subscriptions. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { Redis as Client } from "ioredis"
import { open } from "./client.ts"
import type { Clients } from "./clients.ts"
import { type Connection, makeConnection, type Send } from "./connection.ts"
import { reconnectDelay } from "./options.ts"
import { later } from "./timer.ts"
import { destroy, watch } from "./watchdog.ts"

/**
 * The time between two looks for another master, in milliseconds. Each look fails the commands that wait for a reply,
 * and their callers call again. Without a pause, the connection would never stay up for long.
 */
const lookInterval = 2_000

/** A connection that lasts as long as its scope. */
export interface Lasting {
  readonly send: Send
  /** See `Connection.ask`. */
  readonly ask: Send
  /** The current client. A new one replaces it when it has ended. */
  readonly client: () => Client
}

export interface LastingOptions {
  readonly name: string
  /** See `open`. */
  readonly patient?: boolean
  /** Called with every client before it connects. */
  readonly onClient?: (client: Client) => void
}

/**
 * Opens a connection for the life of the scope. Only the first attempt can fail; later losses are repaired until the
 * scope closes.
 *
 * After the loss of a socket, ioredis reconnects by itself. It ends the client for good when the connector fails, when
 * the failover detector stops it, or when a user calls `quit`. Then a new client replaces it.
 */
export const openLasting = Effect.fnUntraced(function*(clients: Clients, options: LastingOptions) {
  const { resolved } = clients
  const outage = clients.outage()
  const master = lookForMaster(clients)
  let client: Client | undefined
  let connection: Connection | undefined
  let ready = false
  let closing = false
  let latest: unknown
  /**
   * How many clients ended since the last one was ready, how long the next one waits, and whether it is not made yet.
   */
  let renewals = 0
  let pause = 0
  let waiting = false

  // Before the first attempt, so that an interruption at any moment leaves no client behind.
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      closing = true
      outage.forget()
      if (client !== undefined) destroy(client)
      return connection?.close ?? Effect.void
    })
  )

  const lose = (): void => {
    if (ready && !closing) outage.lost(latest)
  }

  const failed = (cause: unknown): void => {
    latest = cause
    outage.failed(cause)
  }

  const make = (onError: (cause: unknown) => void): Client => {
    const made = clients.make(
      options.name,
      {
        pause: () => pause,
        reconnectOnError: master.onError,
        retryStrategy: (attempt) => ready && !closing ? reconnectDelay(attempt) : null
      },
      (cause) => ready ? failed(cause) : onError(cause)
    )
    watch(made, resolved.replyTimeout)
    made.on("close", () => {
      // The end of a look is our own doing; that of a reconnect attempt is not.
      if (!master.isLooking()) lose()
    })
    made.on("ready", () => {
      latest = undefined
      renewals = 0
      pause = 0
      outage.back()
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
    if (closing || waiting || ended.status !== "end") return ended
    // Otherwise its failover detector would keep its connections.
    destroy(ended)
    pause = reconnectDelay(++renewals)
    try {
      // A failure is reported by the `error` event.
      make(() => {}).connect().catch(() => {})
    } catch (cause) {
      // A custom Connector may throw while it is made.
      failed(cause)
      waiting = true
      later(pause, () => {
        waiting = false
        renew()
      })
    }
    return client!
  }

  const opened = yield* open({
    client: make,
    within: resolved.connectTimeout,
    patient: options.patient ?? false,
    // From here on a loss is repaired, even if it happens before this fiber continues.
    onOpen: () => {
      ready = true
    }
  })
  connection = makeConnection(opened, { renew })
  yield* probe(renew, resolved.healthCheckInterval)
  return { client: renew, send: connection.send, ask: connection.ask } satisfies Lasting
})

/**
 * A master that became a replica answers READONLY forever, and a new connection finds the new master. The command
 * fails.
 */
const lookForMaster = ({ doubt, resolved, run }: Clients) => {
  let refused = -Infinity
  let looked = -Infinity
  let looking = false
  return {
    /** ioredis calls it with each error reply. */
    onError: (error: Error): false | 1 => {
      if (!error.message.startsWith("READONLY")) return false
      const now = performance.now()
      if (now - refused > 2 * lookInterval) {
        run(
          Effect.logWarning(
            `Redis at ${resolved.address} refuses writes (READONLY): it is a replica now. Looking for its master`
          )
        )
      }
      refused = now
      if (now - looked < lookInterval) return false
      looked = now
      looking = true
      doubt()
      return 1
    },
    /** Whether the connection that ended was closed for a look. */
    isLooking: (): boolean => {
      const was = looking
      looking = false
      return was
    }
  }
}

/** Sends a command on an idle connection, so that {@link watch} detects a vanished peer. */
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
