/**
 * How decisions are gathered into calls, and what becomes of those that a server does not take.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as DomainAction from "../../src/DomainAction.ts"
import { namesOf, responseList } from "../../src/internal/redis/names.ts"
import * as trouble from "../../src/internal/redis/trouble.ts"
import type { SettleParams } from "../../src/internal/scripts/settle.ts"
import * as entry from "../../src/internal/wire/entry.ts"
import { Decision, type Written } from "../../src/internal/worker/decision.ts"
import * as settler from "../../src/internal/worker/settler.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import { Redis, RedisError } from "../../src/Redis.ts"
import type { Settlement } from "../../src/Settlement.ts"

const naming = QueueNaming.make({ prefix: "nooble4", environment: "dev" })
const list = responseList(naming, "client", "user.create", "1")

type Call = Pick<SettleParams, "acknowledged" | "entries">

/** Redis's reply to a call: the statuses of entries, or how it fails. */
type Server = (call: Call) => Effect.Effect<ReadonlyArray<string | number>, RedisError>

/** A settler whose calls a function answers, and what it said of each decision, by entry. */
const start: (
  server: Server
) => Effect.Effect<
  { readonly settler: settler.Settler; readonly calls: Array<Call>; readonly written: Map<string, Written> },
  never,
  Scope.Scope
> = Effect.fnUntraced(function*(server) {
  const calls: Array<Call> = []
  const written = new Map<string, Written>()
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
      payloadLimit: 100_000_000,
      now: () => 0,
      uuid: () => "00000099-0000-4000-8000-000000000099"
    },
    trouble: trouble.make(),
    telemetry: { settling: () => undefined, settled: () => {} },
    onWritten: (decision, how) => written.set(decision.entry.id, how),
    onLanes: () => {},
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
      for (const call of calls) assert.isAtMost(textOf(call).length, 4 * 1024 * 1024)
      assert.isAtMost(calls.length, 10)
    }))
})

/** What a server says that takes no call with so much in it, and ends the connection. */
const closed = Effect.fail(new RedisError({ cause: new Error("Connection is closed.") }))
const protocol = Effect.fail(new RedisError({ cause: new Error("ERR Protocol error: invalid bulk length") }))

const isEmpty = ({ acknowledged, entries }: Call): boolean => acknowledged.length + entries.length === 0

/** Notes of a dead letter as an object. */
const notesOf = (call: Call | undefined): Readonly<Record<string, string>> => {
  const notes = call?.entries[0]?.notes ?? []
  return Object.fromEntries(notes.flatMap((name, index) => index % 2 === 0 ? [[name, notes[index + 1] ?? ""]] : []))
}

const pushed = (call: Call | undefined): unknown => JSON.parse(call?.entries[0]?.push?.payload ?? "null")

const callsFor = (calls: ReadonlyArray<Call>, id: string) =>
  calls.filter(({ entries }) => entries.length === 1 && entries[0]?.id === id)

describe("an answer that a server does not take", () => {
  for (const [how, failure] of [["ends the connection", closed], ["says why", protocol]] as const) {
    it.effect(`is given up when the server ${how}: its caller gets an error, the dead letter says so, and later decisions are written`, () =>
      Effect.gen(function*() {
        const { calls, settler, written } = yield* start((call) =>
          textOf(call).length > 1_000_000 ? failure : Effect.succeed([])
        )
        settler.offer(reply(1, 10))
        settler.offer(reply(2, 2_000_000))
        settler.offer(decided(3, { _tag: "Ack", expired: false }))
        yield* TestClock.adjust("1 millis")
        settler.offer(reply(4, 10))
        yield* flush(settler)
        assert.deepStrictEqual(Object.fromEntries(written), {
          "1-0": "settled",
          "2-0": "unwritable",
          "3-0": "settled",
          "4-0": "settled"
        })
        const last = callsFor(calls, "2-0").at(-1)
        assert.deepInclude(notesOf(last), { action_id: action.action_id, reason: "undeliverable" })
        assert.match(notesOf(last)["undeliverable"] ?? "", /^The server does not accept it: (Connection|ERR Protocol)/)
        assert.deepInclude(pushed(last), { success: false, data: null })
        assert.isTrue(last?.entries[0]?.dead)
      }))
  }

  it.effect("is not reported to a caller whose list accepts no elements", () =>
    Effect.gen(function*() {
      const { calls, settler, written } = yield* start((call) =>
        call.entries.some(({ push }) => push !== undefined) ? protocol : Effect.succeed([])
      )
      settler.offer(reply(1, 10))
      yield* flush(settler)
      assert.deepStrictEqual([...written], [["1-0", "unwritable"]])
      assert.strictEqual(notesOf(calls.at(-1))["reason"], "undeliverable")
    }))

  it.effect("is kept in the dead letter when only its push is refused", () =>
    Effect.gen(function*() {
      const { calls, settler, written } = yield* start((call) =>
        Effect.succeed(call.entries.flatMap(({ push }, index) =>
          push === undefined
            ? []
            : [call.acknowledged.length + index, "ERR The stream has exhausted the last possible ID"]
        ))
      )
      settler.offer(reply(1, 10))
      settler.offer(decided(2, { _tag: "Ack", expired: false }))
      yield* flush(settler)
      assert.deepStrictEqual(Object.fromEntries(written), { "1-0": "undeliverable", "2-0": "settled" })
      const notes = notesOf(calls.at(-1))
      assert.deepInclude(notes, {
        reason: "undeliverable",
        undeliverable: "ERR The stream has exhausted the last possible ID"
      })
      assert.deepInclude(JSON.parse(notes["answer"] ?? ""), { success: true, data: { text: "x".repeat(10) } })
    }))

  it.effect("for a list on another node of a cluster is kept in the dead letter: what the others of its call write is written", () =>
    Effect.gen(function*() {
      const crossed = new RedisError({ cause: new Error("CROSSSLOT Keys in request don't hash to the same slot") })
      const { calls, settler, written } = yield* start((call) =>
        call.entries.some(({ push }) => push !== undefined) ? Effect.fail(crossed) : Effect.succeed([])
      )
      settler.offer(reply(1, 10))
      settler.offer(decided(2, { _tag: "Ack", expired: false }))
      yield* flush(settler)
      assert.deepStrictEqual(Object.fromEntries(written), { "1-0": "undeliverable", "2-0": "settled" })
      assert.deepInclude(notesOf(callsFor(calls, "1-0").at(-1)), {
        reason: "undeliverable",
        undeliverable: "CROSSSLOT Keys in request don't hash to the same slot"
      })
    }))

  it.effect("of an attempt that is run again is left out: the retry is written", () =>
    Effect.gen(function*() {
      const error = { error_type: "E", error_code: "E", message: "no", details: { text: "x".repeat(2_000_000) } }
      const { calls, settler, written } = yield* start((call) =>
        textOf(call).length > 1_000_000 ? closed : Effect.succeed([])
      )
      settler.offer(decided(1, { _tag: "Retry", delay: Duration.millis(5), error, answer: true }))
      yield* flush(settler)
      assert.deepStrictEqual([...written], [["1-0", "unwritable"]])
      const [entry] = calls.at(-1)?.entries ?? []
      assert.deepInclude(entry, { push: undefined, dead: false })
      assert.strictEqual(entry?.wait?.delay, 5)
    }))

  it.effect("goes without the details of its error", () =>
    Effect.gen(function*() {
      const error = { error_type: "E", error_code: "C", message: "no", details: { text: "x".repeat(2_000_000) } }
      const { calls, settler } = yield* start((call) => textOf(call).length > 1_000_000 ? closed : Effect.succeed([]))
      for (
        const settlement of [
          { _tag: "Reject", error },
          { _tag: "DeadLetter", reason: "exhausted", error, answer: true }
        ] as const
      ) {
        settler.offer(decided(1, settlement))
        yield* flush(settler)
        assert.deepInclude(pushed(calls.at(-1)), { error: { ...error, details: null } })
        assert.strictEqual(
          notesOf(calls.at(-1))["reason"],
          settlement._tag === "Reject" ? "undeliverable" : settlement.reason
        )
      }
    }))
})

describe("a server that is away", () => {
  it.effect("is waited for, with the largest answer", () =>
    Effect.gen(function*() {
      let isAway = true
      const { calls, settler, written } = yield* start(() => isAway ? closed : Effect.succeed([]))
      settler.offer(reply(1, 100_000))
      settler.offer(reply(2, 10))
      for (let minute = 0; minute < 20; minute++) yield* TestClock.adjust("1 minute")
      assert.strictEqual(written.size, 0)
      assert.isAbove(calls.length, 100)
      isAway = false
      yield* flush(settler)
      assert.deepStrictEqual([...written], [["1-0", "settled"], ["2-0", "settled"]])
    }))

  it.effect("for most calls of whatever size is waited for: small answers are not blamed", () =>
    Effect.gen(function*() {
      let isAway = true
      const { settler, written } = yield* start((call) => isAway && !isEmpty(call) ? closed : Effect.succeed([]))
      settler.offer(reply(1, 10_000))
      for (let minute = 0; minute < 20; minute++) yield* TestClock.adjust("1 minute")
      assert.strictEqual(written.size, 0)
      isAway = false
      yield* flush(settler)
      assert.deepStrictEqual([...written], [["1-0", "settled"]])
    }))

  it.effect("that is full, or has become a replica, is waited for", () =>
    Effect.gen(function*() {
      const full = Effect.fail(new RedisError({ cause: new Error("OOM command not allowed") }))
      let isFull = true
      const { settler, written } = yield* start((call) => isFull && !isEmpty(call) ? full : Effect.succeed([]))
      settler.offer(reply(1, 100_000))
      for (let minute = 0; minute < 20; minute++) yield* TestClock.adjust("1 minute")
      assert.strictEqual(written.size, 0)
      isFull = false
      yield* flush(settler)
      assert.deepStrictEqual([...written], [["1-0", "settled"]])
    }))
})
