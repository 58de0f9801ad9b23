/**
 * What happens at each attempt of a client to connect, in this order: it waits out its pause, asks for credentials, finds its
 * server, connects, and sends its handshake in one write.
 *
 * ioredis asks its connector for a socket and waits for it without limit. So the connector is where all of this is done: an
 * attempt has one limit from its beginning until the connection is ready, and whatever it waits for can be given up.
 */
import type { AbstractConnector, Redis as Client } from "ioredis"
import { TLSSocket } from "node:tls"
import type { Ask, Credentials } from "./credentials.ts"
import { AttemptError, closed, noPassword, notInTime } from "./error.ts"
import { later, patiently } from "./timer.ts"
import { cut } from "./watchdog.ts"

export type Stream = Client["stream"]
export type Emit = Parameters<AbstractConnector["connect"]>[0]

export interface Attempts {
  /** Milliseconds from the beginning of an attempt until its connection is ready. */
  readonly limit: number
  /** Milliseconds before an attempt begins, which do not count. */
  readonly pause?: (() => number) | undefined
  /** Asks for the credentials of one attempt. Absent where they never change. */
  readonly ask?: Ask | undefined
}

/** A connector that can say why it has found no server yet. */
export interface Explaining {
  readonly explain: () => AttemptError | undefined
}

const explanationOf = (connector: object): AttemptError | undefined =>
  // SAFETY: only our own connector has the method.
  "explain" in connector ? (connector as Explaining).explain() : undefined

/** What an attempt waits for. */
type Step = "credentials" | "server" | "connection"

/** Why the attempt is not ready after `limit` milliseconds. */
const lateness = (client: Client, step: Step, limit: number): AttemptError => {
  switch (step) {
    case "credentials":
      return noPassword(`took longer than ${limit} ms`)
    case "server":
      return explanationOf(client["connector"]) ?? notInTime(limit)
    case "connection":
      return notInTime(
        limit,
        client.stream instanceof TLSSocket && !client.stream.connecting &&
          client.status === "connecting"
      )
  }
}

/**
 * The commands of a handshake leave in one write. A server that hangs up at once would have the second one fail, and the
 * socket would be gone before the server's words are read.
 */
const gatherHandshake = (stream: Stream): void => {
  // Before ioredis listens to the same event.
  stream.once(stream instanceof TLSSocket ? "secureConnect" : "connect", () => {
    stream.cork()
    process.nextTick(() => stream.uncork())
  })
}

const useCredentials = (client: Client, { password, username }: Credentials): void => {
  // ioredis took those of its options at the beginning of the attempt. An empty text is no password to it as well.
  if (client.condition !== null) {
    client.condition.auth = username && password ? [username, password] : password ?? ""
  }
}

/** Makes each attempt of a client go these steps. */
export const prepareAttempts = (client: Client, { ask, limit, pause }: Attempts): void => {
  const connector = client["connector"]
  const find = connector.connect.bind(connector)
  const disconnect = connector.disconnect.bind(connector)
  let step: Step = "connection"
  /** Fails the attempt that is under way, if it has no socket yet. */
  let stop = (_cause: unknown): void => {}
  let cancelLimit = (): void => {}

  const expire = (): void => {
    const failure = lateness(client, step, limit)
    stop(failure)
    // A socket reports its end later, after others have noticed only that the time is up.
    if (step === "connection") client.emit("error", failure)
    cut(client, failure)
  }

  connector.connect = (emit: Emit) =>
    new Promise<Stream>((resolve, reject) => {
      let stopped = false
      let release = (): void => {}

      const findServer = (): void => {
        step = "server"
        release = () => {}
        // A connector of the user's own may throw.
        new Promise<Stream>((resolve) => resolve(find(emit))).then((stream) => {
          if (stopped) {
            stream.on("error", () => {})
            stream.destroy()
            return
          }
          step = "connection"
          gatherHandshake(stream)
          resolve(stream)
        }, stop)
      }

      const begin = (): void => {
        cancelLimit = patiently(limit, expire)
        if (ask === undefined) return findServer()
        step = "credentials"
        // They are asked for before there is a socket, so that a server does not wait for them.
        release = ask((answer) => {
          if (stopped) return
          if (answer instanceof AttemptError) return stop(answer)
          useCredentials(client, answer)
          findServer()
        })
      }

      stop = (cause) => {
        stopped = true
        release()
        cancelLimit()
        reject(cause)
      }
      cancelLimit()
      const millis = pause?.() ?? 0
      if (millis > 0) {
        const timer = later(millis, begin)
        release = () => clearTimeout(timer)
      } else begin()
    })

  connector.disconnect = () => {
    disconnect()
    stop(closed())
  }

  for (const event of ["ready", "close", "end"]) {
    client.on(event, () => {
      // The event of an attempt that ended may come after the next one has begun.
      if (client.status !== "connecting" && client.status !== "connect") cancelLimit()
    })
  }
}
