/**
 * Errors of ioredis without what they must not carry.
 *
 * `ReplyError.command.args` of ioredis holds whole payloads, and the password when `AUTH` failed; some messages repeat
 * arguments. Nothing of that may reach a log, so no error of ioredis leaves the adapter: it is written anew.
 */
import type { RedisStartReason } from "../../IoRedis.ts"
import * as Redis from "../../Redis.ts"
import { failureOfMessage } from "../redis/failure.ts"

/** What remains of a failed command: enough to find it, nothing to hide. */
export class CommandError extends Error {
  override readonly name: string = "CommandError"
  /** First word of an error reply (`WRONGTYPE`), or the system's code (`ECONNRESET`). */
  readonly code: string | undefined
  /** Name of the command, without its arguments. */
  readonly command: string | undefined
  /** How many arguments it had. */
  readonly numberOfArguments: number | undefined
  constructor(message: string, code: string | undefined, command?: string, numberOfArguments?: number) {
    super(message)
    this.code = code
    this.command = command
    this.numberOfArguments = numberOfArguments
  }
}

export interface StartFailure {
  readonly reason: RedisStartReason
  readonly detail: string
  readonly advice: string
}

/** The code of failures that commands see as that of their connection, whatever the words are. */
const connectionCode = "ECONNCLOSED"

/** An attempt to connect failed, and this adapter knows why. */
export class AttemptError extends Error {
  override readonly name: string = "AttemptError"
  readonly code = connectionCode
  readonly failure: StartFailure
  constructor(failure: StartFailure) {
    super(failure.detail)
    this.failure = failure
  }
}

/** Nothing is wrong that this side could know: the connection ended. */
export const closed = (): Error => new Error("Connection is closed.")

/** No password to connect with. Of its failure only the name is told: its message might repeat a secret. */
export const noPassword = (why: string): AttemptError =>
  new AttemptError({
    reason: "PasswordUnavailable",
    detail: `the effect that gives the password ${why}`,
    advice: "the failure itself is not shown, since it might hold a secret: log it in that effect"
  })

const tlsAdvice =
  "check that this is the server's TLS port, and that its certificate is trusted (NODE_EXTRA_CA_CERTS). " +
  "Use redis:// for a server without TLS"

const timeAdvice = "check host, port and firewall, or raise REDIS_SOCKET_CONNECT_TIMEOUT"

/** The attempt took longer than its limit, perhaps while the two sides agreed on TLS. */
export const notInTime = (millis: number, duringTls = false): AttemptError =>
  new AttemptError(
    duringTls
      ? { reason: "Tls", detail: `no TLS handshake within ${millis} ms`, advice: tlsAdvice }
      : { reason: "TimedOut", detail: `no answer within ${millis} ms`, advice: timeAdvice }
  )

export interface Described {
  readonly message: string
  readonly code: string | undefined
}

/** `unknown command 'X', with args beginning with: …`, `Error in ACL SETUSER modifier '>password'`, `… Last reply: …` */
const withoutArguments = (message: string): string =>
  message
    .replace(/,? with args beginning with.*$/s, "")
    .replace(/(modifier) '.*'/s, "$1 '…'")
    .replace(/ Last (reply|error): .*$/s, "")
    // It speaks of an option that is not the user's to set, see `ioredisConnection.ts`.
    .replace(
      /^Reached the max retries per request limit.*$/s,
      "Connection is closed: the server went away or is out of reach"
    )

/** Message and code of whatever ioredis or Node reports, without arguments of the command. */
export const describe = (cause: unknown): Described => {
  if (!(cause instanceof Error)) return { message: "unknown error", code: undefined }
  // Node tries all addresses of a name and wraps what happened to each; the first says it as well.
  const error = cause instanceof AggregateError && cause.errors[0] instanceof Error ? cause.errors[0] : cause
  const system = "code" in error && typeof error.code === "string" ? error.code : undefined
  const reply = system === undefined ? /^([A-Z][A-Z_]+) /.exec(error.message)?.[1] : undefined
  return {
    message: withoutArguments(error.message),
    code: system ?? reply
  }
}

/** The error of a command, clean. */
export const commandError = (
  cause: unknown,
  command: string | undefined,
  numberOfArguments: number | undefined
): Redis.RedisError => {
  const { code, message } = describe(cause)
  return cause instanceof AttemptError
    ? connectionError(`Connection is closed: ${message}`, command, numberOfArguments)
    : new Redis.RedisError({ cause: new CommandError(message, code, command, numberOfArguments) })
}

/** The connection ended, or is given up, while a command waited for its reply. */
export const connectionError = (message: string, command?: string, numberOfArguments?: number): Redis.RedisError =>
  new Redis.RedisError({ cause: new CommandError(message, connectionCode, command, numberOfArguments) })

/** A server that takes no more connections says so and hangs up. */
const isFull = (message: string): boolean => message.startsWith("ERR max number of clients")

/** An attempt failed, and only the network or a server that is away is to blame: it passes by itself. */
export const isAway = (cause: unknown): boolean => {
  if (cause instanceof AttemptError) {
    const { reason } = cause.failure
    return reason === "Refused" || reason === "TimedOut" || reason === "Tls"
  }
  const { code, message } = describe(cause)
  return failureOfMessage(message, code) === "Connection" && !isFull(message)
}

/** Why a connection failed, and what to do about it. */
export const startFailure = (cause: unknown, tls: boolean, db?: number | undefined): StartFailure => {
  if (cause instanceof AttemptError) return cause.failure
  const { code, message } = describe(cause)
  const failure = (reason: RedisStartReason, advice: string): StartFailure => ({ reason, detail: message, advice })
  const kind = failureOfMessage(message, code)
  switch (kind) {
    case "NotAuthenticated":
      return failure(
        "WrongPassword",
        message.startsWith("NOAUTH")
          ? "the server asks for a password: set REDIS_PASSWORD (and REDIS_USERNAME for an ACL user)"
          : "check REDIS_USERNAME and REDIS_PASSWORD"
      )
    case "NoPermission":
      return failure("NoPermission", "check the ACL rules of the user")
    case "Loading":
      return failure("Loading", "the server is still loading its data: start again later")
  }
  if (/^ERR (invalid DB index|DB index is out of range)/.test(message)) {
    return {
      reason: "Unsupported",
      detail: `the server has no database ${db ?? "of that number"}: ${message}`,
      advice: "use a number below the server's option databases (16 by default) at the end of REDIS_URL"
    }
  }
  if (isFull(message)) {
    return failure(
      "TooManyClients",
      "the server has reached its limit of connections: raise maxclients, or close some"
    )
  }
  // The system names the path of a unix socket in the place of an address.
  if (/^connect E\w+ \//.test(message)) {
    return {
      reason: "Refused",
      detail: message,
      advice:
        "check that the server runs, that its option unixsocket is this path, and that this process may open it " +
        "(unixsocketperm)"
    }
  }
  switch (code) {
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return {
        reason: "UnknownHost",
        detail: message,
        advice: "there is no route to it: check the host in REDIS_URL, and the network"
      }
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return failure("UnknownHost", "check the host in REDIS_URL, and DNS")
    case "ECONNREFUSED":
      return failure("Refused", "check that the server runs, and that host and port are right")
    case "ETIMEDOUT":
      return failure("TimedOut", timeAdvice)
  }
  if (tls && (kind === "Connection" || /certificate|ERR_TLS|ERR_SSL|EPROTO/i.test(`${code} ${message}`))) {
    return failure("Tls", tlsAdvice)
  }
  // ioredis's parser met something that is no reply.
  if (message.includes("RESP type")) {
    return {
      reason: "Other",
      detail: "it does not answer as Redis does",
      advice: "check host and port: another service listens there"
    }
  }
  return failure(
    "Other",
    kind === "Connection"
      ? "the server accepted the connection and closed it: use rediss:// if this port wants TLS, and check that it is Redis"
      : "look into the log of the server"
  )
}
