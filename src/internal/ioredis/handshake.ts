/**
 * The handshake of a client: it checks the results of AUTH and SELECT, sends ioredis's warnings to the program's
 * logger, and reads the message with which a server hangs up.
 */
import type { Redis as Client } from "ioredis"
import { failureOfMessage } from "../redis/failure.ts"
import { AttemptError, describe } from "./error.ts"

/** The common settings of the clients of one layer. */
export interface Handshake {
  /** Whether a refused password may be followed by a valid one. */
  readonly patient: () => boolean
  readonly warn: (message: string) => void
}

/** A command of ioredis as its handshake calls it. */
type Method = (...args: ReadonlyArray<unknown>) => Promise<unknown>

const methodOf = (client: Client, name: "auth" | "select"): Method =>
  // SAFETY: each form of both takes texts and gives a promise.
  client[name].bind(client) as Method

const whiteSpaceHint = "(the password that was sent begins or ends with white space)"

const endsWithWhiteSpace = (auth: unknown): boolean => {
  const password: unknown = Array.isArray(auth) ? auth.at(-1) : auth
  return typeof password === "string" && password !== password.trim()
}

/** The AUTH of a handshake with a server or a Sentinel. ioredis would write some of its failures to the console. */
export const judgeAuth = (client: Client, who: string, handshake: Handshake): void => {
  const judge = (cause: unknown): string => {
    const { message } = describe(cause)
    if (/no password is set|without any password configured for the default user/.test(message)) {
      handshake.warn(`${who} requires no password, but one was given: remove the password, or set one on the server`)
      return "OK"
    }
    if (failureOfMessage(message) !== "NotAuthenticated") throw cause
    const told = endsWithWhiteSpace(client.condition?.auth) ? `${message} ${whiteSpaceHint}` : message
    if (!handshake.patient()) throw new Error(told)
    // This refusal does not end a worker, because the next attempt has another password.
    throw new AttemptError({ reason: "WrongPassword", detail: `The password was refused: ${told}`, advice: "" })
  }
  const auth = methodOf(client, "auth")
  Object.defineProperty(client, "auth", {
    configurable: true,
    value: (...args: ReadonlyArray<unknown>) => {
      const reply = auth(...args)
      return client.status === "connect" ? reply.catch(judge) : reply
    }
  })
}

/** The SELECT of a handshake. ioredis only reports its failure and continues in database 0. */
const insistOnSelect = (client: Client): void => {
  const select = methodOf(client, "select")
  Object.defineProperty(client, "select", {
    configurable: true,
    value: (...args: ReadonlyArray<unknown>) => {
      const reply = select(...args)
      if (client.status !== "connect") return reply
      return reply.catch((cause: unknown) => {
        // After a refused AUTH it only follows from that, and the cause is already reported.
        if (!client.condition?.auth || failureOfMessage(describe(cause).message) !== "NotAuthenticated") {
          client.emit("error", cause)
        }
        client.stream.destroy()
        // The handshake ends with the connection, and never succeeds.
        return new Promise<never>(() => {})
      })
    }
  })
}

/** Applies these checks to the handshake of a client. */
export const prepareHandshake = (client: Client, handshake: Handshake): void => {
  insistOnSelect(client)
  judgeAuth(client, "The Redis server", handshake)
}

/** A server that accepts no connection says why, unprompted, and hangs up: it is full, or in protected mode. */
const farewell = /^-((?:ERR max number of clients|DENIED )[^\r\n]*)/

/**
 * Reports the errors of a client. ioredis takes the message of a server that hangs up for the reply to the first
 * command of its handshake and does not report that command's failure, so only a closed connection would be visible.
 */
export const listen = (client: Client, onError: (cause: unknown) => void): void => {
  let words: Error | undefined
  client.on("connect", () => {
    words = undefined
    client.stream.once("data", (chunk: Buffer) => {
      const said = farewell.exec(chunk.toString("latin1", 0, 500))?.[1]
      if (said !== undefined) words = new Error(said)
    })
  })
  client.on("error", (cause) => {
    const { code, message } = describe(cause)
    onError(words !== undefined && failureOfMessage(message, code) === "Connection" ? words : cause)
  })
  client.on("close", () => {
    if (words !== undefined) onError(words)
    words = undefined
  })
}
