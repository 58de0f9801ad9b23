/**
 * The steps of each connection attempt, in order: wait out the pause, ask for credentials, find the server, connect,
 * and send the handshake in one write.
 *
 * ioredis asks its connector for a socket and waits for it without a limit. So the connector does all of this: an
 * attempt has one limit from its beginning until the connection is ready, and every step can be canceled.
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
  /** The limit from the beginning of an attempt until its connection is ready, in milliseconds. */
  readonly limit: number
  /** The pause before an attempt begins, in milliseconds. It does not count towards the limit. */
  readonly pause?: (() => number) | undefined
  /** Asks for the credentials of one attempt. Absent if they never change. */
  readonly ask?: Ask | undefined
}

/** A connector that can explain why it has found no server yet. */
export interface Explaining {
  readonly explain: () => AttemptError | undefined
}

const explanationOf = (connector: object): AttemptError | undefined =>
  // SAFETY: only our own connector has the method.
  "explain" in connector ? (connector as Explaining).explain() : undefined

/** The step that an attempt waits for. */
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
 * The commands of a handshake are sent in one write. Otherwise, if the server hangs up at once, the second write would
 * fail and destroy the socket before the server's message is read.
 */
const gatherHandshake = (stream: Stream): void => {
  // Runs before ioredis's listener of the same event.
  stream.once(stream instanceof TLSSocket ? "secureConnect" : "connect", () => {
    stream.cork()
    process.nextTick(() => stream.uncork())
  })
}

const useCredentials = (client: Client, { password, username }: Credentials): void => {
  // ioredis copied them from its options at the beginning of the attempt. Like ioredis, this treats an empty text as no
  // password.
  if (client.condition !== null) {
    client.condition.auth = username && password ? [username, password] : password ?? ""
  }
}

/** Makes each attempt of a client follow these steps. */
export const prepareAttempts = (client: Client, { ask, limit, pause }: Attempts): void => {
  const connector = client["connector"]
  const find = connector.connect.bind(connector)
  const disconnect = connector.disconnect.bind(connector)
  let step: Step = "connection"
  /** Fails the current attempt if it has no socket yet. */
  let stop = (_cause: unknown): void => {}
  let cancelLimit = (): void => {}

  const expire = (): void => {
    const failure = lateness(client, step, limit)
    stop(failure)
    // The socket reports its end later, when others would only see that the time is up.
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
        // A custom connector may throw.
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
        // Asked before there is a socket, so that a server does not wait for the credentials.
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
      // The event of an ended attempt may arrive after the next one has begun.
      if (client.status !== "connecting" && client.status !== "connect") cancelLimit()
    })
  }
}
