/**
 * Classifies errors of Redis, independently of the client that reports them.
 *
 * Servers identify the kind by the first word of an error reply. Clients identify a broken connection by system codes,
 * class names or fixed sentences. Only this module reads them, so that no other code compares messages.
 */
import type * as Redis from "../../Redis.ts"

export type RedisFailure =
  /** The stream or its group is gone (`NOGROUP`, `UNBLOCKED`): create it again, then go on. */
  | "NoGroup"
  /** The group exists already (`BUSYGROUP`), as `XGROUP CREATE` wanted. */
  | "GroupExists"
  /** A key holds a value of another type than expected. */
  | "WrongType"
  /** The user lacks permission (`NOPERM`, protected mode). */
  | "NoPermission"
  /** User or password is missing or wrong (`NOAUTH`, `WRONGPASS`). */
  | "NotAuthenticated"
  | "OutOfMemory"
  /** The server refuses writes because it cannot save (`MISCONF`). */
  | "Misconfigured"
  /** A replica, or a master with too few replicas: it refuses writes. */
  | "ReadOnly"
  | "Loading"
  /** The script cache was flushed. */
  | "NoScript"
  /** A script has been running for too long. */
  | "Busy"
  /** This server cannot reach the master or the cluster, or a slot of the cluster is moving. */
  | "MasterDown"
  /** The slot of a reserved connection moved to another node: reserve another one. */
  | "Moved"
  /** The server lacks a command or an option, or refuses it to every user. */
  | "Unsupported"
  /** A node of a Redis Cluster that lacks the key, or some keys of a script (`MOVED`, `CROSSSLOT`). */
  | "Cluster"
  /** The connection is closed, refused, cut or silent; whether the command ran is unknown. */
  | "Connection"
  | "Other"

const kinds: Readonly<Record<string, RedisFailure>> = {
  NOGROUP: "NoGroup",
  UNBLOCKED: "NoGroup",
  BUSYGROUP: "GroupExists",
  WRONGTYPE: "WrongType",
  NOPERM: "NoPermission",
  DENIED: "NoPermission",
  NOAUTH: "NotAuthenticated",
  WRONGPASS: "NotAuthenticated",
  OOM: "OutOfMemory",
  MISCONF: "Misconfigured",
  READONLY: "ReadOnly",
  NOREPLICAS: "ReadOnly",
  LOADING: "Loading",
  NOSCRIPT: "NoScript",
  BUSY: "Busy",
  MASTERDOWN: "MasterDown",
  CLUSTERDOWN: "MasterDown",
  TRYAGAIN: "MasterDown",
  ASK: "MasterDown",
  SLOTMOVED: "Moved",
  CROSSSLOT: "Cluster",
  MOVED: "Cluster"
}

// System codes start with E, and so does the ERR of a reply, which is not a code.
const connectionCode =
  /^(E[A-Z]*(CONN|TIMEDOUT|PIPE|UNREACH|NOTFOUND|AI_AGAIN|NETDOWN|HOSTDOWN|CLOSED)|ERR_(SSL|TLS|SOCKET))/

// ioredis has no error classes, so its sentences are matched. For node-redis: the classes of its errors.ts, and their
// sentences.
const connectionText = new RegExp(
  [
    "^Connection is closed",
    "^Reached the max retries per request limit",
    "^Stream isn't writeable",
    "^Command aborted due to connection close",
    "^Command timed out",
    "^Command queue state error",
    "Socket timeout",
    "^connect E",
    "^(read|write) E[A-Z]+",
    "socket disconnected before secure TLS",
    "^The client is (closed|offline)",
    "^The command was aborted",
    "^Disconnects client",
    "^Socket closed unexpectedly",
    "^Connection timeout",
    "^Timed out waiting for a reserved Redis connection",
    "^All sentinels are unreachable",
    "^ERR max number of clients",
    // `blockingRead.ts`
    "^The read did not come back"
  ].join("|")
)

// What clients of a cluster say when a slot moves, or none of its nodes answers. None of it depends on the content.
const clusterText =
  /^(Too many Cluster redirections|Failed to refresh slots cache|Cluster is disconnect|None of startup nodes is available)/

// The server's errors for an unknown command or form of a command: to a client, and in a script before and since
// version 7. None of them depends on what a command writes.
const unsupportedText = new RegExp(
  [
    "^ERR unknown (sub)?command",
    "^ERR (Error running script .*)?Unknown Redis command called from",
    "^ERR (Error running script .*)?This Redis command is not allowed from",
    "^ERR Error compiling script",
    "^ERR wrong number of arguments",
    "^ERR (Error running script .*)?Wrong number of args calling Redis command",
    "^ERR syntax error"
  ].join("|"),
  "i"
)

// Before version 7, the error of a script hides the code of the command that failed in it.
const insideScript = new RegExp(`^ERR Error running script .*: -?(${Object.keys(kinds).join("|")}) `)

/** Returns the kind of a message of either client, with the system's code if there is one. */
export const failureOfMessage = (message: string, code?: unknown): RedisFailure => {
  const end = message.indexOf(" ")
  const kind = kinds[end < 0 ? message : message.slice(0, end)]
  if (kind !== undefined) return kind
  if (typeof code === "string" && connectionCode.test(code)) return "Connection"
  if (message.startsWith("ERR ")) {
    if (message.startsWith("ERR invalid password")) return "NotAuthenticated"
    // XINFO has no code of its own for a missing stream, which has no groups either.
    if (message.startsWith("ERR no such key")) return "NoGroup"
    if (
      message.startsWith("ERR ACL failure in script") || message.startsWith("ERR The user executing the script can't")
    ) return "NoPermission"
    const inner = insideScript.exec(message)?.[1]
    if (inner !== undefined) return kinds[inner]!
    if (unsupportedText.test(message)) return "Unsupported"
  }
  if (clusterText.test(message)) return "MasterDown"
  return connectionText.test(message) ? "Connection" : "Other"
}

/** The text of the server, the client or the system. The error itself has no message of its own. */
export const textOf = ({ cause }: Redis.RedisError): string => cause instanceof Error ? cause.message : String(cause)

/** The same as a part of a sentence: ioredis ends some of its own with a period. */
export const saidBy = (error: Redis.RedisError): string => textOf(error).replace(/\.$/, "")

/** What kind of trouble an error of the `Redis` service is. */
export const failureOf = (error: Redis.RedisError): RedisFailure => {
  const cause = error.cause
  if (typeof cause !== "object" || cause === null) return failureOfMessage(String(cause))
  const message = "message" in cause && typeof cause.message === "string" ? cause.message : String(cause)
  return failureOfMessage(message, "code" in cause ? cause.code : undefined)
}

/** Whether the failure is temporary: back off and continue. */
export const isTransient = (kind: RedisFailure): boolean => {
  switch (kind) {
    case "NoGroup":
    case "OutOfMemory":
    case "Misconfigured":
    case "ReadOnly":
    case "Loading":
    case "NoScript":
    case "Busy":
    case "MasterDown":
    case "Moved":
    case "Connection":
      return true
    default:
      return false
  }
}

/** Whether the failure lasts until an operator changes the server or the settings. A worker fails with it. */
export const isFatal = (kind: RedisFailure): boolean =>
  kind === "NotAuthenticated" || kind === "NoPermission" || kind === "WrongType" || kind === "Unsupported" ||
  kind === "Cluster"
