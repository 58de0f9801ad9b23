/**
 * How decisions are gathered into calls, and what becomes of those that a server does not take.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as DomainAction from "../../src/DomainAction.ts"
import { Decision } from "../../src/internal/encodeSettlement.ts"
import * as entry from "../../src/internal/entry.ts"
import { namesOf } from "../../src/internal/names.ts"
import type { SettleParams } from "../../src/internal/scripts/settle.ts"
import * as settler from "../../src/internal/settler.ts"
import * as trouble from "../../src/internal/trouble.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import { Redis, type RedisError } from "../../src/Redis.ts"
import type { Settlement } from "../../src/Settlement.ts"

const naming = QueueNaming.make({ prefix: "nooble4", environment: "dev" })
const list = naming.responseList("client", "user.create", "1")

type Call = Pick<SettleParams, "acknowledged" | "entries">

/** Redis's reply to a call: the statuses of entries, or how it fails. */
type Server = (call: Call) => Effect.Effect<ReadonlyArray<string | number>, RedisError>

/** A settler whose calls a function answers, and what it said of each decision, by entry. */
const start: (
  server: Server
) => Effect.Effect<
  { readonly settler: settler.Settler; readonly calls: Array<Call>; readonly written: Map<string, settler.Written> },
  never,
  Scope.Scope
> = Effect.fnUntraced(function*(server) {
  const calls: Array<Call> = []
  const written = new Map<string, settler.Written>()
  const unused = () => Effect.die(new Error("no settler does that"))
  const made = settler.make({
    redis: Redis.of({
      send: unused,
      subscribe: unused,
      reserve: unused(),
      eval: () => (...params) =>
        Effect.suspend(() => {
          // SAFETY: the settle script is the only one that a settler runs.
          const call = params[0] as Call
          calls.push(call)
          return server(call)
        })
    }),
    names: namesOf(naming, "user"),
    consumer: "c",
    retain: false,
    encode: {
      service: "user",
      accepts: naming.accepts,
      responseTimeToLive: 60_000,
      now: () => 0,
      uuid: () => "00000099-0000-4000-8000-000000000099"
    },
    trouble: trouble.make(),
    telemetry: { settling: () => undefined, settled: () => {} },
    onWritten: (decision, how) => written.set(decision.entry.id, how),
    restoreGroup: Effect.void
  })
  yield* Effect.forkScoped(made.run)
  return { settler: made, calls, written }
})

const action = DomainAction.make({
  action_id: "00000001-0000-4000-8000-000000000001",
  action_type: "user.create",
  timestamp: "2025-06-29T04:03:00.123456Z",
  data: {},
  callback_queue_name: list
})

const decided = (number: number, settlement: Settlement): Decision =>
  new Decision(entry.make(`${number}-0`, ["data", "{}"]), action, 1, settlement, undefined, undefined)

const reply = (number: number, size: number): Decision =>
  decided(number, { _tag: "Reply", data: { text: "x".repeat(size) } })

/** Lets the settler's time pass until it has written everything. */
const flush = Effect.fnUntraced(function*(one: settler.Settler) {
  for (let round = 0; one.unwritten() > 0; round++) {
    if (round > 200) return yield* Effect.die(new Error("not written"))
    yield* TestClock.adjust("1 second")
  }
})

const settles: Server = () => Effect.succeed([])

const textOf = (call: Call): string => call.entries.map(({ notes, push }) => [push?.payload, ...notes ?? []]).join()

describe("a call", () => {
  it.effect("takes no more answers than a client and a server can take at once", () =>
    Effect.gen(function*() {
      const { calls, settler, written } = yield* start(settles)
      for (let number = 1; number <= 40; number++) settler.offer(reply(number, 1_000_000))
      yield* flush(settler)
      assert.deepStrictEqual([...new Set(written.values())], ["settled"])
      assert.strictEqual(written.size, 40)
      for (const call of calls) assert.isAtMost(textOf(call).length, 10_000_000)
      assert.isAtMost(calls.length, 6)
    }))
})
