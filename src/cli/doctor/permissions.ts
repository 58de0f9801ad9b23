/**
 * Checks of permissions by trying. Each command is one that a role needs, in a form that changes nothing: on an entry or
 * a member that does not exist, under a condition that is not met, or with arguments that the command refuses after the
 * server has checked the permission.
 */
import * as Effect from "effect/Effect"
import { failureOf } from "../../internal/redis/failure.ts"
import type { Names } from "../../internal/redis/names.ts"
import type { Redis } from "../../Redis.ts"
import { type Finding, finding, ok } from "./finding.ts"

type Attempt = readonly [command: string, ...args: ReadonlyArray<string>]

const nothing = "0-0"

const sender = ({ stream }: Names): ReadonlyArray<Attempt> => [
  // No entry may have this id, so the server refuses it.
  ["XADD", stream, nothing, "data", ""]
]

const worker = (names: Names): ReadonlyArray<Attempt> => {
  const { deadLetters, group, parkedDue, parkedEntries, paused, retryDue, retryRecords, scheduleNext, stream } = names
  return [
    ...sender(names),
    ["XINFO", "GROUPS", stream],
    ["XPENDING", stream, group, nothing, nothing, "1"],
    ["XCLAIM", stream, group, names.waitingConsumer, "0", nothing, "JUSTID"],
    ["XACK", stream, group, nothing],
    ["XDEL", stream, nothing],
    ["XLEN", stream],
    ["XADD", deadLetters, nothing, "data", ""],
    ["ZADD", retryDue, "XX", "0", nothing],
    ["ZREM", retryDue, nothing],
    ["HDEL", retryRecords, nothing],
    ["ZRANGE", parkedDue, "0", "0"],
    ["HGET", parkedEntries, nothing],
    ["ZRANGE", scheduleNext, "0", "0"],
    ["HGETALL", paused]
  ]
}

const operator = (names: Names): ReadonlyArray<Attempt> => [
  ["XRANGE", names.stream, nothing, nothing],
  ["XREVRANGE", names.deadLetters, nothing, nothing],
  ["XDEL", names.deadLetters, nothing],
  ["XADD", names.stream, nothing, "data", ""],
  ["XINFO", "GROUPS", names.stream],
  ["HDEL", names.paused, ""],
  ["ZCARD", names.retryDue],
  ["ZCARD", names.parkedDue]
]

const roles = { sender, worker, operator } as const

/** Whether the server refuses the command for want of a permission; other errors come after that check. */
const lacks = (redis: Redis["Service"], [command, ...args]: Attempt) =>
  redis.send(command, ...args).pipe(
    Effect.as(false),
    Effect.catch((error) => failureOf(error) === "NoPermission" ? Effect.succeed(true) : Effect.succeed(false))
  )

/** What each role lacks. Only the operator's rights are a problem for this tool's user. */
export const permissions = (redis: Redis["Service"], names: Names): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.forEach(["sender", "worker", "operator"] as const, (role) =>
    Effect.map(
      Effect.filter(roles[role](names), (attempt) => lacks(redis, attempt)),
      (missing) => {
        const check = `may be ${role}`
        if (missing.length === 0) return ok(check, "every command that was tried is allowed")
        const commands = [...new Set(missing.map(([command]) => command))].join(", ")
        return finding(
          check,
          role === "operator" ? "problem" : "warning",
          `may not run ${commands} on the keys of ${names.service}`,
          `If this user is a ${role}: redis-workers acl ${role} --service ${names.service}`
        )
      }
    ))
