/**
 * Errors of ioredis without secrets.
 *
 * `ReplyError.command.args` of ioredis holds whole payloads, and the password if `AUTH` failed. Some messages repeat
 * arguments. None of that may be logged, so errors of ioredis never leave the adapter: they are replaced by errors of
 * our own.
 */
import type * as Redis from "../../Redis.ts"
import { failureOfMessage } from "../redis/failure.ts"
import { redisError } from "../redis/redisError.ts"
import type { StartFailure } from "./startError.ts"

/** The safe part of a failed command: enough to identify it. */
export class CommandError extends Error {
  override readonly name: string = "CommandError"
  /** The first word of an error reply (`WRONGTYPE`), or the system's code (`ECONNRESET`). */
  readonly code: string | undefined
  /** The name of the command, without its arguments. */
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

/** The code of failures that commands see as failures of their connection, whatever the message is. */
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

/** The connection ended, for a reason that this side cannot know. */
export const closed = (): Error => new Error("Connection is closed.")

/** There is no password to connect with. Only the name of the failure is shown: its message might contain a secret. */
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

/** The attempt took longer than its limit, possibly during the TLS handshake. */
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
    // It mentions an option that the user cannot set, see `ioredisConnection.ts`.
    .replace(
      /^Reached the max retries per request limit.*$/s,
      "Connection is closed: the server went away or is out of reach"
    )

/** Returns message and code of an error of ioredis or Node, without arguments of the command. */
export const describe = (cause: unknown): Described => {
  if (!(cause instanceof Error)) return { message: "unknown error", code: undefined }
  // Node tries all addresses of a name and wraps the error of each. The first is representative.
  const error = cause instanceof AggregateError && cause.errors[0] instanceof Error ? cause.errors[0] : cause
  const system = "code" in error && typeof error.code === "string" ? error.code : undefined
  const reply = system === undefined ? /^([A-Z][A-Z_]+) /.exec(error.message)?.[1] : undefined
  return {
    message: withoutArguments(error.message),
    code: system ?? reply
  }
}

/** The error of a command, without secrets. */
export const commandError = (
  cause: unknown,
  command: string | undefined,
  numberOfArguments: number | undefined
): Redis.RedisError => {
  const { code, message } = describe(cause)
  return cause instanceof AttemptError
    ? connectionError(`Connection is closed: ${message}`, command, numberOfArguments)
    : redisError(new CommandError(message, code, command, numberOfArguments))
}

/** The first word of an error reply, or the system's code. */
export const codeOf = ({ cause }: Redis.RedisError): string | undefined =>
  cause instanceof CommandError ? cause.code : undefined

/** A failure that this adapter words itself. */
export const ownError = (message: string, code: string | undefined, command?: string): Redis.RedisError =>
  redisError(new CommandError(message, code, command))

/** The connection ended, or is given up, while a command waited for its reply. */
export const connectionError = (message: string, command?: string, numberOfArguments?: number): Redis.RedisError =>
  redisError(new CommandError(message, connectionCode, command, numberOfArguments))

/** A server at its connection limit says so and hangs up. */
const isFull = (message: string): boolean => message.startsWith("ERR max number of clients")

/** Whether an attempt failed only because of the network or an unavailable server, which is temporary. */
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
  const failure = (reason: StartFailure["reason"], advice: string): StartFailure => ({
    reason,
    detail: message,
    advice
  })
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
      return failure(
        "NoPermission",
        /cluster/i.test(message) ? "allow the user the command CLUSTER SLOTS" : "check the ACL rules of the user"
      )
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
  if (message.startsWith("ERR This instance has cluster support disabled")) {
    return failure("Unsupported", "this server is not a node of a cluster: use IoRedis.layerOptions (or IoRedis.layer)")
  }
  if (/^CLUSTERDOWN|^the cluster has no slots/.test(message)) {
    return failure("Other", "check the cluster with `redis-cli --cluster check`, and start again")
  }
  if (isFull(message)) {
    return failure(
      "TooManyClients",
      "the server has reached its limit of connections: raise maxclients, or close some"
    )
  }
  // For a unix socket, the system names its path instead of an address.
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
  // ioredis's parser received data that is not a reply.
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
