/** What the cases of all scripts have in common. */
import * as Effect from "effect/Effect"
import type { LibraryScript } from "../../../internal/scripts/script.ts"
import { Redis } from "../../../Redis.ts"
import { Place, type Row, send, serverTime } from "../case.ts"

/** Runs a script of the library. */
export const evaluate = <Params>(script: LibraryScript<Params>, params: Params) =>
  Effect.flatMap(Redis, (redis) => redis.eval(script.script)(params))

/** The names of this test's service, with its group made. */
export const group = Effect.gen(function*() {
  const { names } = yield* Place
  yield* send("XGROUP", "CREATE", names.stream, names.group, "0", "MKSTREAM")
  return names
})

/** Adds entries; field and value pairs each. */
export const add = (...messages: ReadonlyArray<ReadonlyArray<string>>) =>
  Effect.gen(function*() {
    const { names } = yield* Place
    return yield* Effect.forEach(messages, (fields) => send<string>("XADD", names.stream, "*", ...fields))
  })

/** Adds that many entries and delivers them to a consumer, each once. */
export const deliver = (consumer: string, count: number) =>
  Effect.gen(function*() {
    const ids = yield* add(...Array.from({ length: count }, (_, index) => ["data", `${consumer} ${index}`]))
    yield* read(consumer)
    return ids
  })

/** Delivers what is new. */
export const read = (consumer: string) =>
  Effect.gen(function*() {
    const { names } = yield* Place
    yield* send("XREADGROUP", "GROUP", names.group, consumer, "STREAMS", names.stream, ">")
  })

/** Makes a pending entry look as if it had been idle for a while, or delivered often. */
export const age = (id: string, consumer: string, change: { readonly idle?: number; readonly deliveries?: number }) =>
  Effect.gen(function*() {
    const { names } = yield* Place
    yield* send(
      "XCLAIM",
      names.stream,
      names.group,
      consumer,
      0,
      id,
      "IDLE",
      change.idle ?? 0,
      ...(change.deliveries === undefined ? [] : ["RETRYCOUNT", change.deliveries]),
      "JUSTID"
    )
  })

/** The pending entries, their owners and delivery counts: `[id, consumer, deliveries]`. */
export const owners = Effect.gen(function*() {
  const { names } = yield* Place
  const rows = yield* send<ReadonlyArray<readonly [string, string, number, number]>>(
    "XPENDING",
    names.stream,
    names.group,
    "-",
    "+",
    "10000"
  )
  return rows.map(([id, consumer, , deliveries]) => [id, consumer, deliveries] as const)
})

/** Those of these entries of which something is recorded. */
export const recorded = (...ids: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const { names } = yield* Place
    const found = yield* Effect.forEach(ids, (id) => send<string | null>("HGET", names.retryRecords, id))
    return ids.filter((_, index) => found[index] !== null)
  })

/** Ids that are in the stream. */
export const stored = Effect.gen(function*() {
  const { names } = yield* Place
  const rows = yield* send<ReadonlyArray<Row>>("XRANGE", names.stream, "-", "+")
  return rows.map(([id]) => id)
})

/** Milliseconds until an entry is due; `undefined` when it does not wait. */
export const dueIn = (id: string) =>
  Effect.gen(function*() {
    const { names } = yield* Place
    const score = yield* send<string | null>("ZSCORE", names.retryDue, id)
    return score === null ? undefined : Number(score) - (yield* serverTime)
  })

/** Sets when an entry is due, from now, and what is recorded of it. */
export const wait = (id: string, delay: number, record?: string) =>
  Effect.gen(function*() {
    const { names } = yield* Place
    yield* age(id, names.waitingConsumer, {})
    yield* send("ZADD", names.retryDue, (yield* serverTime) + delay, id)
    if (record !== undefined) yield* send("HSET", names.retryRecords, id, record)
  })

/** A send without a key, an expiry or a trace. */
export const noTerms = {
  uniqueKey: undefined,
  uniqueHash: "",
  within: 0,
  expiresIn: undefined,
  traceparent: undefined
} as const
