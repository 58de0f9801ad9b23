/**
 * Options of a worker: those that make no sense are refused at the start, all others work.
 */
import { assert } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Worker from "../../src/Worker.ts"
import { eventually, inMemory, onBoth, Place, send } from "../support/layers.ts"
import { answersOf, effects, sendAction, settled, startWorker } from "../support/world.ts"

const refused: ReadonlyArray<Worker.WorkerOptions> = [
  ...[0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY].flatMap((count): ReadonlyArray<Worker.WorkerOptions> => [
    { consumers: count },
    { concurrency: count },
    { maxAttempts: count },
    { maxDeliveries: count },
    { payloadLimit: count },
    { depthLimit: count }
  ]),
  { readAhead: -1 },
  { readAhead: 0.5 },
  { readAhead: Number.NaN },
  { memoryLimit: 0 },
  { memoryLimit: Number.NaN },
  ...[0, -1, Number.POSITIVE_INFINITY].flatMap((millis): ReadonlyArray<Worker.WorkerOptions> => [
    { block: millis },
    { claimIdle: millis },
    { responseTimeToLive: millis }
  ]),
  ...[-1, Number.NaN, "soon" as Duration.Input].flatMap((time): ReadonlyArray<Worker.WorkerOptions> => [
    { shutdownGrace: time },
    { unknownFor: time },
    { retain: time },
    { handlerTimeout: time }
  ]),
  { block: "soon" as Duration.Input },
  { deadLetters: { maxAge: "soon" as Duration.Input } },
  { service: "" },
  { service: "a:b" },
  { service: "user.create" }
]

inMemory("options of a worker", (test) => {
  test("that make no sense are refused, by name, before anything is written", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      for (const options of refused) {
        const error = yield* Effect.flip(Effect.scoped(Worker.start({}, options)))
        const [name = "", value] = Object.entries(options)[0] ?? []
        assert.strictEqual(error._tag, "InvalidOption", `${name} ${value}`)
        assert.include(error.message, name)
      }
      assert.strictEqual(yield* send("EXISTS", names.stream, names.lease), 0)
    }))

  test("warn of types that all belong to other services", () =>
    Effect.gen(function*() {
      const { logs } = yield* Place
      const said = () =>
        logs.filter(({ text }) => text.startsWith("This worker will receive")).map(({ level, text }) =>
          `${level} ${text}`
        )
      yield* Worker.start({ "user.create": () => Effect.void, "order.place": () => Effect.void })
      assert.deepStrictEqual(said(), [])
      yield* Worker.start({ "order.place": () => Effect.void })
      assert.deepStrictEqual(said(), [
        "Warn This worker will receive nothing: its types (order.place) belong to service \"order\", but SERVICE_NAME is \"user\""
      ])
      const before = said().length
      yield* Worker.start({ "order.place": () => Effect.void, "mail.send": () => Effect.void }, { service: "cart" })
      assert.deepStrictEqual(said().slice(before), [
        "Warn This worker will receive nothing: its types (order.place, mail.send) belong to services \"mail\", \"order\", " +
        "but the option service is \"cart\""
      ])
    }))

  test("may retain acknowledged entries for ever", () =>
    Effect.gen(function*() {
      const { logs, names, pass } = yield* Place
      yield* startWorker({ retain: Duration.infinity })
      for (let i = 0; i < 20; i++) yield* sendAction("ok")
      yield* settled
      for (let i = 0; i < 30; i++) yield* pass("1 second")
      assert.strictEqual(yield* send("XLEN", names.stream), 20)
      assert.deepStrictEqual(logs.filter(({ level }) => level === "Warn" || level === "Error"), [])
    }))

  test("may retain acknowledged entries for a while", () =>
    Effect.gen(function*() {
      const { names, pass } = yield* Place
      yield* startWorker({ retain: "1 minute" })
      for (let i = 0; i < 50; i++) yield* sendAction("ok", { data: { does: "ok", more: "x".repeat(3_000) } })
      yield* settled
      for (let i = 0; i < 20; i++) yield* pass("1 second")
      assert.strictEqual(yield* send("XLEN", names.stream), 50)
      // The server trims whole nodes, and keeps the last one.
      const few = Effect.map(send<number>("XLEN", names.stream), (length) => length < 10)
      for (let i = 0; i < 60; i++) yield* pass("1 second")
      yield* eventually("it is trimmed", few)
    }))
})

onBoth("options of a worker", (test) => {
  test("may be times that are no whole milliseconds", () =>
    Effect.gen(function*() {
      const { logs } = yield* Place
      yield* startWorker({
        block: Duration.nanos(50_500_000n),
        claimIdle: Duration.nanos(101_300_000n),
        responseTimeToLive: Duration.nanos(60_000_700_000n),
        handlerTimeout: Duration.nanos(25_000_500_000n),
        unknownFor: Duration.nanos(30_500_000n)
      })
      const sent = yield* sendAction("later until 2", { expectation: "response" })
      const unknown = yield* sendAction("", { type: "user.nobody" })
      yield* settled
      assert.strictEqual((yield* answersOf(sent)).length, 1)
      assert.deepStrictEqual(yield* effects(unknown), ["dead unknown ACTION_NOT_IMPLEMENTED"])
      assert.isAbove(yield* send<number>("PTTL", sent.list), 1_000)
      assert.deepStrictEqual(logs.filter(({ text }) => text.includes("Redis failed")), [])
    }))

  test("name the consumers", () =>
    Effect.gen(function*() {
      const { worker } = yield* startWorker({ consumers: 2, consumerSuffix: "night" })
      const { consumers } = yield* worker.status
      const uuid = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
      for (const [index, suffix] of ["night-0", "night-1", "night-alone"].entries()) {
        assert.match(consumers[index]?.name ?? "", new RegExp(`^user-worker-${suffix}-${uuid}$`))
      }
    }))
})
