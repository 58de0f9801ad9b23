/**
 * Workers whose test ends while `TestClock` stands still: nothing that waits for time may keep the test.
 */
import { assert, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import { actionStream } from "../../src/internal/redis/names.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import { Redis } from "../../src/Redis.ts"
import * as RedisMemory from "../../src/RedisMemory.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import { recording } from "../support/logs.ts"

const Sleep = Action.make("job.sleep", { success: { slept: Schema.Boolean } })
const group = ActionGroup.make(Sleep)

const logs: Array<string> = []
const World = Layer.mergeAll(
  RedisMemory.layer,
  QueueNaming.layer,
  recording(logs)
).pipe(Layer.provideMerge(Settings.layerOf({ serviceName: "job" })))

const test = (name: string, body: () => Effect.Effect<void, unknown, Layer.Success<typeof World> | Scope.Scope>) =>
  it.effect(name, () =>
    Effect.suspend(() => {
      logs.length = 0
      return body()
    }).pipe(Effect.scoped, Effect.provide(World)))

const told = () => logs.filter((line) => line.includes("The clock stands still"))

/** Lets others go on, without a move of the test's clock. */
const realPause = TestClock.withLive(Effect.sleep("5 millis"))

/** A worker whose handler does what is given, and has begun. */
const begun = Effect.fnUntraced(function*(handler: Effect.Effect<void>, options: Worker.WorkerOptions = {}) {
  const seen = { begun: 0, interrupted: 0 }
  const worker = yield* Worker.start(
    group.handlers({
      "job.sleep": () =>
        Effect.sync(() => seen.begun++).pipe(
          Effect.andThen(handler),
          Effect.onInterrupt(() => Effect.sync(() => void seen.interrupted++)),
          Effect.as({ slept: true })
        )
    }),
    options
  )
  const client = yield* ActionClient.make()
  yield* client.send(Sleep, {})
  for (let turn = 0; seen.begun === 0 && turn < 1_000; turn++) yield* realPause
  assert.strictEqual(seen.begun, 1)
  return { client, seen, worker }
})

const pendingOwners = Effect.gen(function*() {
  const redis = yield* Redis
  const naming = yield* QueueNaming.QueueNaming
  const rows = yield* redis.send<ReadonlyArray<ReadonlyArray<string>>>(
    "XPENDING",
    actionStream(naming, "job"),
    naming.group("job"),
    "-",
    "+",
    "10"
  )
  return rows.map((row) => row[1])
})

test("a scope that closes while a handler sleeps ends, gives the action back, and says why", () =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const { seen } = yield* Scope.provide(begun(Effect.sleep("1 hour")), scope)
    yield* Scope.close(scope, Exit.void)
    assert.strictEqual(seen.interrupted, 1)
    assert.deepStrictEqual(yield* pendingOwners, ["job-waiting"])
    assert.strictEqual(told().length, 1)
    assert.include(told()[0], "docs/testing.md")
    assert.strictEqual(yield* Clock.currentTimeMillis, 0)
  }))

test("a scope that closes while a caller waits for the answer of a sleeping handler ends", () =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    yield* Effect.gen(function*() {
      const { client } = yield* begun(Effect.sleep("1 hour"))
      yield* Effect.forkIn(client.request(Sleep, {}), scope)
      yield* realPause
    }).pipe(Scope.provide(scope))
    yield* Scope.close(scope, Exit.void)
    assert.strictEqual(told().length, 1)
  }))

test("a drain ends while a handler sleeps, and one that cannot be interrupted as well", () =>
  Effect.gen(function*() {
    const { worker } = yield* begun(Effect.uninterruptible(Effect.sleep("1 hour")))
    yield* worker.drain
    assert.strictEqual((yield* worker.status).state, "stopped")
    assert.strictEqual(told().length, 1)
  }))

test("a drain waits for handlers as long as the test moves the clock, however slowly", () =>
  Effect.gen(function*() {
    const { seen, worker } = yield* begun(Effect.sleep("40 seconds"), { shutdownGrace: "1 minute" })
    const draining = yield* Effect.forkChild(worker.drain)
    while (draining.pollUnsafe() === undefined) {
      yield* TestClock.adjust("1 second")
      yield* TestClock.withLive(Effect.sleep("80 millis"))
    }
    yield* Fiber.join(draining)
    assert.deepStrictEqual([seen.interrupted, told().length], [0, 0])
    assert.deepStrictEqual(yield* pendingOwners, [])
  }))
