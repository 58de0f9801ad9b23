/**
 * A paused worker takes nothing, and goes on as if nothing had been.
 */
import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Worker from "../../src/Worker.ts"
import { entriesOf, eventually, onBoth, pendingOf, Place, send } from "../support/layers.ts"
import { actionOf } from "../support/messages.ts"

const add = Effect.fnUntraced(function*(id: string, number: number) {
  const { names } = yield* Place
  return yield* send<string>("XADD", names.stream, "*", "data", actionOf("user.create", number, { data: { id } }))
})

const start = (options: Worker.WorkerOptions = {}) =>
  Effect.gen(function*() {
    const ran: Array<string> = []
    const go = yield* Deferred.make<void>()
    const worker = yield* Worker.start({
      "user.create": ({ data }, { deliveries }) => {
        ran.push(`${String(data["id"])} ${deliveries}`)
        return data["id"] === "held" ? Deferred.await(go) : Effect.void
      }
    }, { block: "20 seconds", shutdownGrace: 0, ...options })
    return { go, ran, worker }
  })

/** The worker's read waits at the server: it took what came before. */
const reading = (ran: Array<string>) =>
  Effect.andThen(add("first", 0), eventually("it reads", Effect.sync(() => ran.length === 1)))

/** The server has noticed: a read on its way out would still be served first. */
const readingEnded = Effect.fnUntraced(function*(worker: Worker.Worker["Service"]) {
  const { kind } = yield* Place
  if (kind === "memory") return
  const { consumers } = yield* worker.status
  yield* eventually(
    "no read waits at the server",
    Effect.map(
      send<string>("CLIENT", "LIST"),
      (list) =>
        !list.split("\n").some((line) =>
          line.includes("cmd=xreadgroup") && consumers.some(({ name }) => line.includes(`name=${name} `))
        )
    )
  )
})

onBoth("A paused worker", (test) => {
  test("takes nothing, though its read waited at the server when it was paused", () =>
    Effect.gen(function*() {
      const { names, pass } = yield* Place
      const { ran, worker } = yield* start({ consumers: 2 })
      yield* reading(ran)
      yield* worker.pause
      yield* readingEnded(worker)
      yield* add("second", 1)
      yield* pass("300 millis")
      assert.deepStrictEqual(ran, ["first 1"])
      assert.strictEqual((yield* worker.status).state, "paused")
      // Another worker gets it at once.
      const other = yield* start()
      yield* eventually("the other ran it", Effect.sync(() => other.ran.length === 1))
      assert.deepStrictEqual(other.ran, ["second 1"])
      yield* eventually("it is settled", Effect.map(entriesOf(names.stream), (rows) => rows.length === 0))
    }))

  test("takes nothing when what it was full of is done", () =>
    Effect.gen(function*() {
      const { names, pass } = yield* Place
      const { go, ran, worker } = yield* start({ concurrency: 1, readAhead: 0 })
      yield* add("held", 0)
      yield* eventually("it runs", Effect.sync(() => ran.length === 1))
      yield* add("second", 1)
      yield* worker.pause
      yield* Deferred.succeed(go, undefined)
      yield* eventually("it is settled", Effect.map(entriesOf(names.stream), (rows) => rows.length === 1))
      yield* pass("300 millis")
      assert.deepStrictEqual(ran, ["held 1"])
      assert.deepStrictEqual(yield* pendingOf(names), [])
      yield* worker.resume
      yield* eventually("the second is run", Effect.sync(() => ran.length === 2))
    }))

  test("finishes and settles what runs, and keeps its lease", () =>
    Effect.gen(function*() {
      const { names, pass } = yield* Place
      const { go, ran, worker } = yield* start({ claimIdle: "2 seconds" })
      const other = yield* start({ claimIdle: "2 seconds" })
      yield* other.worker.pause
      yield* add("held", 0)
      yield* eventually("it runs", Effect.sync(() => ran.length === 1))
      yield* worker.pause
      yield* other.worker.resume
      yield* pass("5 seconds")
      assert.deepStrictEqual(other.ran, [])
      yield* Deferred.succeed(go, undefined)
      yield* eventually("it is settled", Effect.map(pendingOf(names), (rows) => rows.length === 0))
      assert.deepStrictEqual(ran, ["held 1"])
    }))

  test("goes on where it stopped when it is resumed, as often as one likes", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const { ran, worker } = yield* start()
      yield* reading(ran)
      for (let i = 1; i <= 20; i++) {
        yield* worker.pause
        yield* worker.pause
        yield* add(`n${i}`, i)
        yield* worker.resume
        yield* worker.resume
        yield* eventually("it is run", Effect.sync(() => ran.length > i))
      }
      assert.deepStrictEqual(ran.map((line) => line.split(" ")[0]), [
        "first",
        ...Array.from({ length: 20 }, (_, i) => `n${i + 1}`)
      ])
      yield* eventually("all is settled", Effect.map(entriesOf(names.stream), (rows) => rows.length === 0))
    }))

  test("leaves what is due for a retry to others", () =>
    Effect.gen(function*() {
      const { names, pass } = yield* Place
      let attempts = 0
      const failing = yield* Worker.start({
        "user.create": () => {
          attempts++
          return Effect.fail("no")
        }
      }, { block: "20 seconds", shutdownGrace: 0 })
      yield* add("a", 0)
      yield* eventually("it waits", Effect.map(pendingOf(names), (rows) => rows[0]?.[1] === names.waitingConsumer))
      yield* failing.pause
      yield* pass("2 seconds")
      assert.strictEqual(attempts, 1)
      const other = yield* start()
      yield* eventually("the other ran it", Effect.sync(() => other.ran.length === 1))
      assert.deepStrictEqual(other.ran, ["a 2"])
    }))
})
