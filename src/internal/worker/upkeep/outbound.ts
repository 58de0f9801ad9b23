/**
 * Forwards answers to keys in other slots of a Redis Cluster, from the outbound stream of this service.
 *
 * A worker forwards what it wrote at once. What another worker took and did not remove within 30 seconds is taken over. An
 * answer reaches an action stream once, and a list at least once.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import * as DomainAction from "../../../DomainAction.ts"
import type { QueueNamingShape } from "../../../QueueNaming.ts"
import type { RedisError } from "../../../Redis.ts"
import { isCluster } from "../../redis/cluster.ts"
import { failureOf, saidBy } from "../../redis/failure.ts"
import { actionStream, uniqueKey } from "../../redis/names.ts"
import { array, entries, type RawEntry, record, streamEntries, strings } from "../../redis/reply.ts"
import { forward, type ForwardParams } from "../../scripts/forward.ts"
import { type Address, addressIn } from "../../wire/outbound.ts"
import type { MakePart } from "../part.ts"

/** How long an answer may be in the hands of a worker before another one takes it over, in milliseconds. */
const takeOver = 30_000

/** Answers taken at once. */
const batch = 100

/** How often to look for what other workers left, in milliseconds. */
const poll = 1_000

const group = "outbound"

/** The key that remembers a callback in the slot of the stream that it goes to. */
const guardOf = (naming: QueueNamingShape, address: Address, payload: string): ForwardParams["guard"] => {
  if (address.kind !== "stream") return undefined
  const action = DomainAction.parse(payload)
  if (action._tag === "Failure") return undefined
  const { action_id: id, action_type: type } = action.success
  try {
    const service = naming.targetService(type)
    // A callback may go to the stream of a service that its type does not name.
    if (actionStream(naming, service) !== address.key) return undefined
    return { key: uniqueKey(naming, service, createHash("sha1").update(`outbound ${id}`).digest("hex")), id }
  } catch {
    return undefined
  }
}

export const outbound: MakePart = (host) => {
  const { naming, names, redis, signals, trouble } = host
  if (!isCluster(redis)) return undefined
  const key = names.outbound
  const doing = `forwarding answers from ${key}`

  const remove = (id: string) => Effect.andThen(redis.send("XACK", key, group, id), redis.send("XDEL", key, id))

  const bury = Effect.fnUntraced(function*(id: string, address: string, payload: string, why: string) {
    yield* Effect.logWarning(`An answer could not be forwarded and is kept in the dead letters: ${why}`)
    yield* redis.send(
      ...["XADD", names.deadLetters, "*", "reason", "undeliverable", "undeliverable", why, "answer", payload] as const,
      // It has no fields of an action, so it cannot be replayed; its answer can be sent to that address again.
      ...["address", address, "entry_id", id, "fields", "0"] as const
    )
  })

  const sendOne = (params: ForwardParams): Effect.Effect<string, RedisError> =>
    Effect.map(redis.eval(forward.script)(params), String).pipe(
      // The user may not remember it there: then it goes out at least once.
      Effect.catchIf(
        (error) => params.guard !== undefined && failureOf(error) === "NoPermission",
        () => sendOne({ ...params, guard: undefined })
      ),
      Effect.catchIf(
        (error) => failureOf(error) === "NoPermission" || failureOf(error) === "Cluster",
        (error) => Effect.succeed(saidBy(error))
      )
    )

  const deliver = ([id, fields]: RawEntry) =>
    Effect.suspend(() => {
      const values = record(fields)
      const data = String(values.get("data") ?? "")
      const traceparent = String(values.get("traceparent") ?? "")
      const address = addressIn(traceparent)
      if (address === undefined) return remove(id)
      return sendOne({ address, payload: data, guard: guardOf(naming, address, data) }).pipe(
        Effect.flatMap((said) => said === "sent" || said === "known" ? Effect.void : bury(id, traceparent, data, said)),
        Effect.andThen(remove(id))
      )
    })

  const left = Effect.gen(function*() {
    const rows = array(
      yield* redis.send("XPENDING", key, group, "IDLE", String(takeOver), "-", "+", String(batch))
    )
    const ids = rows.map((row) => strings(row)[0] ?? "")
    if (ids.length === 0) return []
    return entries(yield* redis.send("XCLAIM", key, group, "forwarder", String(takeOver), ...ids))
  })

  const makeGroup = redis.send("XGROUP", "CREATE", key, group, "0").pipe(
    Effect.catchIf((error) => failureOf(error) === "GroupExists", () => Effect.void)
  )

  const take = Effect.gen(function*() {
    if (Number(yield* redis.send("XLEN", key)) === 0) return []
    yield* makeGroup
    const fresh = yield* redis.send(
      "XREADGROUP",
      "GROUP",
      group,
      "forwarder",
      "COUNT",
      String(batch),
      "STREAMS",
      key,
      ">"
    )
    return [...streamEntries(fresh), ...yield* left]
  })

  const look = Effect.gen(function*() {
    const found = yield* trouble.around(doing, take)
    // Each is tried until it is written, because no other worker takes it over for a while.
    yield* Effect.forEach(
      found,
      (one) => trouble.around(doing, deliver(one)),
      { concurrency: 20, discard: true }
    )
    return found.length >= batch
  })

  return {
    keeps: Effect.forever(Effect.gen(function*() {
      signals.outbound.closeUnsafe()
      const more = yield* look
      if (!more) yield* Effect.raceFirst(Effect.sleep(Duration.millis(poll)), signals.outbound.await)
    }))
  }
}
