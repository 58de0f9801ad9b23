/**
 * Errors of ioredis without what they must not carry.
 *
 * `ReplyError.command.args` of ioredis holds whole payloads, and the password when `AUTH` failed; some messages repeat
 * arguments. Nothing of that may reach a log, so no error of ioredis leaves the adapter: it is written anew.
 */
import * as Data from "effect/Data"
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

/** No password to connect with. Of the failure it has the name alone: its message might repeat a secret. */
export class PasswordError extends Data.TaggedError("PasswordError")<{ readonly message: string }> {}

export interface Described {
  readonly message: string
  readonly code: string | undefined
}

/** The code of a failed attempt in which a Sentinel answered but did not give the address. */
export const sentinelCode = "ECONNSENTINEL"

/** The code of a failure of a user's `Connector`. */
export const connectorCode = "ECONNECTOR"

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
  return new Redis.RedisError({ cause: new CommandError(message, code, command, numberOfArguments) })
}

/** The connection ended, or is given up, while a command waited for its reply. */
export const connectionError = (message: string, command?: string, numberOfArguments?: number): Redis.RedisError =>
  new Redis.RedisError({ cause: new CommandError(message, "ECONNCLOSED", command, numberOfArguments) })

export interface StartFailure {
  readonly reason: RedisStartReason
  readonly detail: string
  readonly advice: string
}

/** What ioredis says when the last of them named no master, however many there are. */
const noSentinel = "All sentinels are unreachable"

/** No Sentinel named the master: the name may be wrong, or none of them could be asked. */
const sentinelFailure = (said: ReadonlyArray<string>): StartFailure => {
  if (said.some((words) => words.includes("invalid reply: null"))) {
    return {
      reason: "UnknownMaster",
      detail: "the Sentinels know no master of that name",
      advice: "is ioredis.name the name in `sentinel monitor <name>`, and are these the right Sentinels?"
    }
  }
  // That a connection was closed is a consequence of what came before it.
  const words = said.find((words) => !words.endsWith("Connection is closed.")) ?? said[0] ?? ""
  const why = / because (.*)$/s.exec(words)?.[1] ?? words
  return failureOfMessage(why) === "NotAuthenticated"
    ? {
      reason: "WrongPassword",
      detail: `a Sentinel refused: ${why}`,
      advice: "check sentinelUsername and sentinelPassword, which are not those of the server"
    }
    : {
      reason: "Refused",
      detail: `no Sentinel answers: ${why}`,
      advice: "check the hosts and ports of the Sentinels, and the firewall"
    }
}

/** Why a first connection failed, and what to do about it. */
export const startFailure = (
  cause: unknown,
  context: {
    readonly tls: boolean
    readonly timedOut: boolean
    readonly connected: boolean
    readonly millis: number
    /** No client could be made. */
    readonly unmade?: boolean | undefined
    /** What ioredis says of each Sentinel that did not name the master. */
    readonly sentinels?: ReadonlyArray<string> | undefined
  }
): StartFailure => {
  const { code, message } = describe(cause)
  if (cause instanceof PasswordError) {
    return {
      reason: "PasswordUnavailable",
      detail: message,
      advice: "the failure is not repeated here, it might hold a secret: log it where the password comes from"
    }
  }
  if (context.unmade === true) {
    return { reason: "Unsupported", detail: message, advice: "the Connector of the options threw it" }
  }
  const { sentinels = [] } = context
  if (sentinels.length > 0 && (context.timedOut || message.startsWith(noSentinel))) return sentinelFailure(sentinels)
  const tlsAdvice = "is this the server's TLS port, and is its certificate trusted (NODE_EXTRA_CA_CERTS)? " +
    "A server without TLS has redis:// instead of rediss://"
  if (context.timedOut) {
    return context.tls && context.connected
      ? { reason: "Tls", detail: `no TLS handshake within ${context.millis} ms`, advice: tlsAdvice }
      : {
        reason: "TimedOut",
        detail: `no answer within ${context.millis} ms`,
        advice: "check host, port and firewall, or raise REDIS_SOCKET_CONNECT_TIMEOUT"
      }
  }
  const kind = failureOfMessage(message, code)
  switch (kind) {
    case "NotAuthenticated":
      return {
        reason: "WrongPassword",
        detail: message,
        advice: message.startsWith("NOAUTH")
          ? "the server asks for a password: set REDIS_PASSWORD (and REDIS_USERNAME for an ACL user)"
          : "check REDIS_USERNAME and REDIS_PASSWORD"
      }
    case "NoPermission":
      return { reason: "NoPermission", detail: message, advice: "check the ACL rules of the user" }
    case "Loading":
      return { reason: "Loading", detail: message, advice: "the server still reads its data: start again later" }
  }
  if (message.startsWith("ERR max number of clients")) {
    return {
      reason: "TooManyClients",
      detail: message,
      advice: "the server has as many connections as it takes: raise maxclients, or close some"
    }
  }
  // The system names the path of a unix socket in the place of an address.
  if (/^connect E\w+ \//.test(message)) {
    return {
      reason: "Refused",
      detail: message,
      advice: "is the server running, and does its option unixsocket name this path? " +
        "This process must be allowed to open it (unixsocketperm)"
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
      return { reason: "UnknownHost", detail: message, advice: "check the host in REDIS_URL, and DNS" }
    case "ECONNREFUSED":
      return { reason: "Refused", detail: message, advice: "is the server running, and is the port right?" }
    case "ETIMEDOUT":
      return {
        reason: "TimedOut",
        detail: message,
        advice: "check host, port and firewall, or raise REDIS_SOCKET_CONNECT_TIMEOUT"
      }
  }
  if (code === connectorCode) {
    return { reason: "Other", detail: message, advice: "the message comes from your `Connector`" }
  }
  if (code === sentinelCode) {
    return {
      reason: "Other",
      detail: message,
      advice: "check `name` and `sentinels`, and `sentinelPassword` if the Sentinels ask for one"
    }
  }
  if (context.tls && (kind === "Connection" || /certificate|ERR_TLS|ERR_SSL|EPROTO/i.test(`${code} ${message}`))) {
    return { reason: "Tls", detail: message, advice: tlsAdvice }
  }
  // ioredis's parser met something that is no reply.
  if (message.includes("RESP type")) {
    return { reason: "Other", detail: "it does not answer as Redis does", advice: "check host and port" }
  }
  return kind === "Connection"
    ? {
      reason: "Other",
      detail: message,
      advice: "the server accepted the connection and ended it: does this port want TLS (rediss://), or is it no Redis?"
    }
    : { reason: "Other", detail: message, advice: "see the server's own log" }
}
