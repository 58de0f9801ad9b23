/**
 * What a worker does besides messages is one list: a part that is added to it starts, stops and fails as the others do.
 */
import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import { SettlementObserver } from "../../src/internal/worker/observer.ts"
import type { MakePart, Part } from "../../src/internal/worker/part.ts"
import { Parts, parts } from "../../src/internal/worker/parts.ts"
import { Redis, RedisError } from "../../src/Redis.ts"
import * as Worker from "../../src/Worker.ts"
import { Unsupported } from "../../src/WorkerError.ts"
import { eventually, inMemory, onBoth } from "../support/layers.ts"
import { sendAction } from "../support/world.ts"

const adding = (part: MakePart) => Effect.provideService(Parts, [...parts, part])

/** Notes when it begins, and when it is interrupted. */
const noting = (events: Array<string>, name: string) =>
  Effect.onInterrupt(
    Effect.suspend(() => {
      events.push(`${name} begins`)
      return Effect.never
    }),
    () => Effect.sync(() => events.push(`${name} ends`))
  )

/** Notes each read of new entries. */
const notingReads = (redis: Redis["Service"], events: Array<string>) =>
  Redis.of({
    ...redis,
    reserve: Effect.map(redis.reserve, (connection) => ({
      ...connection,
      send: (command, ...args) => {
        if (command === "XREADGROUP") events.push("read")
        return connection.send(command, ...args)
      }
    }))
  })

onBoth("A part that is added to the list", (test) => {
  test("begins before the first read, and what it takes ends before the drain, what it keeps when all is written", () =>
    Effect.gen(function*() {
      const events: Array<string> = []
      const finish = yield* Deferred.make<void>()
      const handler = () =>
        Effect.gen(function*() {
          events.push("handler begins")
          yield* Deferred.await(finish)
          events.push("handler ends")
        })
      const worker = yield* Worker.start({ "user.create": handler }, { block: "200 millis" }).pipe(
        adding(() => ({
          starts: Effect.sync(() => void events.push("starts")),
          takes: noting(events, "takes"),
          keeps: noting(events, "keeps")
        })),
        Effect.provideService(SettlementObserver, () => void events.push("written")),
        Effect.provideService(Redis, notingReads(yield* Redis, events))
      )
      yield* sendAction("")
      yield* eventually("the handler runs", Effect.sync(() => events.includes("handler begins")))
      assert.deepStrictEqual(events.slice(0, 4), ["starts", "keeps begins", "takes begins", "read"])

      events.length = 0
      const drain = yield* Effect.forkChild(worker.drain)
      yield* eventually("what it takes has ended", Effect.sync(() => events.includes("takes ends")))
      assert.deepStrictEqual(events.filter((event) => event !== "read"), ["takes ends"])
      yield* Deferred.succeed(finish, undefined)
      yield* eventually("the drain is over", Effect.sync(() => drain.pollUnsafe() !== undefined))
      yield* Fiber.join(drain)
      assert.deepStrictEqual(
        events.filter((event) => event !== "read"),
        ["takes ends", "handler ends", "written", "keeps ends"]
      )
    }))
})

inMemory("A part that dies", (test) => {
  const failed = new Worker.WorkerError({ reason: new Unsupported({ message: "the part cannot go on" }) })

  for (const phase of ["takes", "keeps"] as const) {
    const startWith = (part: (die: Latch.Latch) => Part) =>
      Effect.gen(function*() {
        const die = Latch.makeUnsafe(false)
        const worker = yield* Worker.start({ "user.create": () => Effect.void }).pipe(adding(() => part(die)))
        assert.strictEqual((yield* worker.status).state, "running")
        yield* die.open
        const error = yield* Effect.flip(worker.await)
        assert.strictEqual((yield* worker.status).state, "failed")
        return error
      })

    test(`while it ${phase} entries ends the worker with its error`, () =>
      Effect.gen(function*() {
        const error = yield* startWith((die) => ({ [phase]: Effect.andThen(die.await, Effect.fail(failed)) }))
        assert.strictEqual(error, failed)
      }))

    test(`of a defect while it ${phase} entries ends the worker, which names the defect as the cause`, () =>
      Effect.gen(function*() {
        const defect = new Error("a bug in the part")
        const error = yield* startWith((die) => ({ [phase]: Effect.andThen(die.await, Effect.die(defect)) }))
        assert.strictEqual(error.reason._tag, "Unexpected")
        assert.strictEqual(error.cause, defect)
      }))
  }

  test("before the first read keeps the worker from starting", () =>
    Effect.gen(function*() {
      const events: Array<string> = []
      const refused = new RedisError({ cause: new Error("NOPERM this user has no permissions to run the 'x' command") })
      const error = yield* Worker.start({ "user.create": () => Effect.void }).pipe(
        adding(() => ({ starts: Effect.fail(refused), takes: noting(events, "takes") })),
        Effect.flip
      )
      assert.instanceOf(error, Worker.WorkerError)
      assert.strictEqual(error.reason._tag, "NoPermission")
      assert.strictEqual(error.cause, refused)
      assert.deepStrictEqual(events, [])
    }))
})

inMemory("The list of parts", (test) => {
  /** How many of the parts a worker with these options has. */
  const present = (options: Worker.WorkerOptions) =>
    Effect.gen(function*() {
      let count = 0
      const counted = parts.map((make): MakePart => (host, crew) => {
        const part = make(host, crew)
        if (part !== undefined) count++
        return part
      })
      const start = Worker.start({ "user.create": () => Effect.void }, options)
      yield* Effect.scoped(Effect.provideService(start, Parts, counted))
      return count
    })

  test("leaves out the parts that an option makes needless, one for each option", () =>
    Effect.gen(function*() {
      const all = { onSettled: () => {} }
      // Only a cluster has other slots.
      const most = parts.length - 1
      assert.strictEqual(yield* present(all), most)
      assert.strictEqual(yield* present({}), most - 1)
      assert.strictEqual(yield* present({ ...all, callbacks: false }), most - 1)
      assert.strictEqual(yield* present({ ...all, retain: Infinity }), most - 1)
      assert.strictEqual(yield* present({ callbacks: false, retain: Infinity }), most - 3)
    }))
})
