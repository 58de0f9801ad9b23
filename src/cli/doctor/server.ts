/** Checks of the server: its version and settings, durability, eviction, clock, and keys in one slot of a cluster. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { isCluster } from "../../internal/redis/cluster.ts"
import type { Names } from "../../internal/redis/names.ts"
import type { Connection, Redis, RedisError } from "../../Redis.ts"
import { type Finding, finding, ok } from "./finding.ts"

/** Speaks to the server, or to the node of a cluster, that has the service. */
type Client = Pick<Connection, "send">

/** The sections of `INFO` as names and values. Managed servers allow it where they forbid `CONFIG`. */
const info = Effect.fnUntraced(function*(redis: Client) {
  const text = String(yield* redis.send("INFO"))
  return new Map(
    text.split(/\r?\n/).flatMap((line) => {
      const at = line.indexOf(":")
      return at < 0 || line.startsWith("#") ? [] : [[line.slice(0, at), line.slice(at + 1)] as const]
    })
  )
})

const version = (values: ReadonlyMap<string, string>): Finding => {
  const valkey = values.get("valkey_version")
  const found = valkey ?? values.get("redis_version") ?? "unknown"
  const shown = `${valkey === undefined ? "Redis" : "Valkey"} ${found}, ${values.get("redis_mode") ?? "unknown"}`
  const [major = 0] = found.split(".").map(Number)
  return major >= 7
    ? ok("server", shown)
    : finding(
      "server",
      "problem",
      shown,
      "Use Redis 7 or newer, or Valkey: older servers leave deleted entries pending"
    )
}

const role = (values: ReadonlyMap<string, string>): Finding =>
  values.get("role") === "slave"
    ? finding("role", "problem", "this is a replica", "Connect to the master: a replica refuses writes")
    : ok("role", "master")

const eviction = (values: ReadonlyMap<string, string>): Finding => {
  const policy = values.get("maxmemory_policy") ?? "unknown"
  if (policy === "noeviction") return ok("eviction", policy)
  return policy.startsWith("allkeys-")
    ? finding(
      "eviction",
      "problem",
      `maxmemory-policy ${policy}`,
      "Set maxmemory-policy noeviction: otherwise streams disappear when memory is full"
    )
    : finding(
      "eviction",
      "warning",
      `maxmemory-policy ${policy}`,
      "Set maxmemory-policy noeviction: keys with an expiry, such as answers, may disappear"
    )
}

const durability = (values: ReadonlyMap<string, string>): Finding =>
  values.get("aof_enabled") === "1"
    ? values.get("aof_last_write_status") === "err"
      ? finding(
        "durability",
        "problem",
        "the append-only file cannot be written",
        "Free the disk of the server, then look at its log"
      )
      : ok("durability", "append-only file")
    : finding(
      "durability",
      "warning",
      "appendonly no",
      "Set appendonly yes: otherwise a restart loses what came since the last snapshot"
    )

const memory = (values: ReadonlyMap<string, string>): Finding => {
  const used = Number(values.get("used_memory") ?? 0)
  const limit = Number(values.get("maxmemory") ?? 0)
  const shown = `${values.get("used_memory_human") ?? "?"} of ${
    limit === 0 ? "no limit" : values.get("maxmemory_human") ?? "?"
  }`
  return limit > 0 && used > 0.9 * limit
    ? finding(
      "memory",
      "problem",
      shown,
      "Give the server more memory, or remove what is not needed: a full server refuses new actions"
    )
    : ok("memory", shown)
}

/** Differences below a second do not matter. Half of the round trip is the error of the measurement. */
const clock = Effect.fnUntraced(function*(redis: Client) {
  const before = yield* Clock.currentTimeMillis
  const [seconds = 0, micros = 0] = ((yield* redis.send("TIME")) as ReadonlyArray<unknown>).map(Number)
  const after = yield* Clock.currentTimeMillis
  const difference = Math.round(seconds * 1_000 + micros / 1_000 - (before + after) / 2)
  const shown = `${Math.abs(difference)} ms ${difference < 0 ? "behind" : "ahead of"} this machine, ${
    Math.round(after - before)
  } ms away`
  return Math.abs(difference) - (after - before) / 2 > 1_000
    ? finding(
      "clock",
      "warning",
      shown,
      "Synchronize both clocks (NTP). Deadlines and due times go by the clock of the server"
    )
    : ok("clock", shown)
})

/** A script of the library uses several keys of a service, so a cluster needs them in one slot. */
const slots = Effect.fnUntraced(function*(redis: Client, names: Names, values: ReadonlyMap<string, string>) {
  if (values.get("redis_mode") !== "cluster") return ok("slots", "not a cluster")
  const keys = [names.stream, names.deadLetters, names.retryDue, names.parkedDue, names.scheduleNext, names.paused]
  const found = yield* Effect.forEach(keys, (key) => redis.send("CLUSTER", "KEYSLOT", key))
  const different = new Set(found.map(String)).size
  return different === 1
    ? ok("slots", "the keys of the service are in one slot")
    : finding(
      "slots",
      "problem",
      `the keys of the service are in ${different} slots`,
      "Use a naming with hash tags: QueueNaming.layerCluster"
    )
})

const atServer = (redis: Client, names: Names): Effect.Effect<ReadonlyArray<Finding>, RedisError> =>
  info(redis).pipe(
    Effect.flatMap((values) =>
      Effect.map(slots(redis, names, values), (slot) => [
        version(values),
        role(values),
        durability(values),
        eviction(values),
        memory(values),
        slot
      ])
    ),
    Effect.catch(() =>
      Effect.succeed<ReadonlyArray<Finding>>([
        finding(
          "server",
          "skipped",
          "this user may not run INFO",
          "Allow +info to check version, durability, eviction and memory"
        )
      ])
    ),
    Effect.flatMap((findings) => Effect.map(clockOrSkip(redis), (clock) => [...findings, clock]))
  )

const clockOrSkip = (redis: Client) =>
  Effect.catch(
    clock(redis),
    () =>
      Effect.succeed(
        finding("clock", "skipped", "this user may not run TIME", "Allow +time: workers and senders need it too")
      )
  )

export const server = (
  redis: Redis["Service"],
  names: Names
): Effect.Effect<ReadonlyArray<Finding>, RedisError> =>
  isCluster(redis)
    // A connection of its own is bound to the node of the first key that it is asked for.
    ? Effect.scoped(Effect.flatMap(redis.reserve, (connection) =>
      Effect.andThen(connection.send("CLUSTER", "KEYSLOT", names.stream), atServer(connection, names))))
    : atServer(redis, names)
