/** Actions of one key run one after another, or as many at once as their contract says. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { randomUUID } from "node:crypto"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import { RetryLater } from "../../src/HandlerError.ts"
import * as Worker from "../../src/Worker.ts"
import { entriesOf, eventually, onBoth, Place, send } from "../support/layers.ts"

const payload = { key: Schema.String, n: Schema.Number, does: Schema.optionalKey(Schema.String) }

const contract = (options: Action.LaneOptions) =>
  Action.make("user.step", { payload, success: { n: Schema.Number } }).pipe(Action.lane(({ key }) => key, options))

type Step = { readonly key: string; readonly n: number; readonly does?: string }

/** A worker whose handlers say when they begin and end, and that lasts until they are let go. */
const world = Effect.fnUntraced(function*(
  options: Action.LaneOptions = {},
  own: Worker.WorkerOptions & { readonly holds?: boolean } = {}
) {
  const { holds = false, ...workerOptions } = own
  const Step = contract(options)
  const events: Array<string> = []
  const running = new Map<string, number>()
  let most = 0
  const gate = Latch.makeUnsafe(!holds)
  const handlers = ActionGroup.make(Step).handlers({
    "user.step": ({ does, key, n }: Step, delivery) =>
      Effect.gen(function*() {
        events.push(`${key}${n}`)
        running.set(key, (running.get(key) ?? 0) + 1)
        most = Math.max(most, running.get(key) ?? 0)
        yield* gate.await
        if (does === "fail") return yield* new RetryLater()
        if (does === "retry" && delivery.attempt < 3) return yield* new RetryLater({ after: "20 millis" })
        return { n }
      }).pipe(Effect.ensuring(Effect.sync(() => running.set(key, (running.get(key) ?? 1) - 1))))
  })
  const start = Worker.start(handlers, {
    block: "200 millis",
    claimIdle: "400 millis",
    shutdownGrace: 0,
    concurrency: 20,
    maxAttempts: 3,
    retry: Schedule.spaced("15 millis"),
    ...workerOptions
  })
  const worker = yield* start
  const client = yield* ActionClient.make()
  return { Step, client, worker, start, events, gate, most: () => most }
})

const left = Effect.gen(function*() {
  const { names } = yield* Place
  return {
    held: yield* send<number>("ZCARD", names.lanesHeld),
    waiting: yield* send<number>("ZCARD", names.lanesWaiting),
    entries: yield* send<number>("HLEN", names.parkedEntries),
    due: yield* send<number>("ZCARD", names.parkedDue),
    stream: (yield* entriesOf(names.stream)).length
  }
})

const nothing = { held: 0, waiting: 0, entries: 0, due: 0, stream: 0 }

const empty = Effect.gen(function*() {
  yield* eventually("nothing is left", Effect.map(left, (left) => Object.values(left).every((count) => count === 0)))
  assert.deepStrictEqual(yield* left, nothing)
})

const hasRun = (events: ReadonlyArray<string>, count: number) =>
  eventually(`${count} runs`, Effect.sync(() => events.length >= count))

onBoth("A lane", (test) => {
  test("runs the actions of a key one after another in the order of their sends", () =>
    Effect.gen(function*() {
      const { Step, client, events, most } = yield* world()
      for (let n = 0; n < 12; n++) yield* client.send(Step, { key: "a", n })
      yield* client.sendMany(Step, Array.from({ length: 8 }, (_, n) => ({ key: "a", n: 12 + n })))
      yield* hasRun(events, 20)
      assert.deepStrictEqual(events, Array.from({ length: 20 }, (_, n) => `a${n}`))
      assert.strictEqual(most(), 1)
      yield* empty
    }))

  test("lets other keys run while one waits, and says of the others that they wait", () =>
    Effect.gen(function*() {
      const { Step, client, events, gate } = yield* world({}, { holds: true })
      const first = yield* client.send(Step, { key: "a", n: 1 })
      const second = yield* client.send(Step, { key: "a", n: 2 })
      const other = yield* client.send(Step, { key: "b", n: 1 })
      assert.deepStrictEqual([first._tag, second._tag, other._tag], ["Sent", "Waiting", "Sent"])
      yield* hasRun(events, 2)
      const { names } = yield* Place
      assert.lengthOf(yield* entriesOf(names.stream), 2)
      gate.openUnsafe()
      yield* hasRun(events, 3)
      assert.deepStrictEqual(events.toSorted(), ["a1", "a2", "b1"])
      yield* empty
    }))

  test("runs as many at once as its concurrency says, and never more", () =>
    Effect.gen(function*() {
      const { Step, client, events, gate, most } = yield* world({ concurrency: 3 }, { holds: true })
      yield* client.sendMany(Step, Array.from({ length: 10 }, (_, n) => ({ key: "a", n })))
      yield* hasRun(events, 3)
      const { names } = yield* Place
      assert.lengthOf(yield* entriesOf(names.stream), 3)
      gate.openUnsafe()
      yield* hasRun(events, 10)
      assert.strictEqual(most(), 3)
      yield* empty
    }))

  test("keeps its place over retries, so that nothing overtakes", () =>
    Effect.gen(function*() {
      const { Step, client, events } = yield* world()
      yield* client.send(Step, { key: "a", n: 1, does: "retry" })
      yield* client.send(Step, { key: "a", n: 2 })
      yield* hasRun(events, 4)
      assert.deepStrictEqual(events, ["a1", "a1", "a1", "a2"])
      yield* empty
    }))

  test("goes on after a dead letter unless it is told to halt", () =>
    Effect.gen(function*() {
      const { Step, client, events } = yield* world()
      yield* client.send(Step, { key: "a", n: 1, does: "fail" })
      yield* client.send(Step, { key: "a", n: 2 })
      yield* hasRun(events, 4)
      assert.deepStrictEqual(events, ["a1", "a1", "a1", "a2"])
    }))

  test("answers requests that had to wait", () =>
    Effect.gen(function*() {
      const { Step, client, events, most } = yield* world()
      const answers = yield* Effect.forEach(
        [1, 2, 3, 4],
        (n) => client.request(Step, { key: "a", n }, { timeout: "10 seconds" }),
        { concurrency: "unbounded" }
      ).pipe(Effect.forkScoped, Effect.tap(() => hasRun(events, 4)), Effect.flatMap((fiber) => Fiber.await(fiber)))
      assert.strictEqual(answers._tag, "Success")
      assert.strictEqual(most(), 1)
      yield* empty
    }))

  test("adopts what came without a lane, and runs it beside nothing else of its key", () =>
    Effect.gen(function*() {
      const { Step, client, events, gate, most } = yield* world({}, { holds: true })
      const { names } = yield* Place
      const plain = (n: number) =>
        DomainAction.encode(DomainAction.make({
          action_id: randomUUID(),
          action_type: "user.step",
          timestamp: "2025-06-29T04:03:00.123456Z",
          data: { key: "a", n }
        }))
      yield* client.send(Step, { key: "a", n: 1 })
      yield* hasRun(events, 1)
      yield* send("XADD", names.stream, "*", "data", plain(2), "extra", "kept")
      yield* send("XADD", names.stream, "*", "data", plain(3))
      yield* eventually("both wait", Effect.map(left, ({ stream, waiting }) => waiting === 2 && stream === 1))
      gate.openUnsafe()
      yield* hasRun(events, 3)
      assert.deepStrictEqual(events, ["a1", "a2", "a3"])
      assert.strictEqual(most(), 1)
      yield* send("XADD", names.stream, "*", "data", plain(4))
      yield* hasRun(events, 4)
      yield* empty
    }))

  test("gives the place of a deleted action back, and goes on", () =>
    Effect.gen(function*() {
      const { Step, client, events } = yield* world({}, { holds: true })
      const { names, pass } = yield* Place
      yield* client.send(Step, { key: "a", n: 1 })
      yield* hasRun(events, 1)
      yield* client.send(Step, { key: "a", n: 2 })
      const [entry] = yield* entriesOf(names.stream)
      yield* send("XACK", names.stream, names.group, entry![0])
      yield* send("XDEL", names.stream, entry![0])
      yield* eventually("the next runs", Effect.andThen(pass("50 millis"), Effect.sync(() => events.length >= 2)))
      assert.deepStrictEqual(events, ["a1", "a2"])
    }), 30_000)

  test(
    "gives the place of an action back that a worker of another language has acknowledged",
    () =>
      Effect.gen(function*() {
        const { Step, client, events, worker } = yield* world({}, { holds: true })
        const { names, pass } = yield* Place
        yield* worker.pause
        yield* pass("300 millis")
        yield* client.send(Step, { key: "a", n: 1 })
        yield* client.send(Step, { key: "a", n: 2 })
        const read = ["XREADGROUP", "GROUP", names.group, "python", "COUNT", 1, "STREAMS", names.stream, ">"] as const
        const reply = yield* send<ReadonlyArray<readonly [string, ReadonlyArray<readonly [string]>]> | null>(...read)
        const id = reply?.[0]?.[1][0]?.[0] ?? (yield* Effect.die(new Error("the other worker got nothing")))
        yield* send("XACK", names.stream, names.group, id)
        yield* worker.resume
        yield* eventually("the next runs", Effect.andThen(pass("50 millis"), Effect.sync(() => events.length >= 1)))
        assert.deepStrictEqual(events, ["a2"])
      }),
    30_000
  )
})
