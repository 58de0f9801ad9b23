/**
 * A worker is ready again as soon as Redis works again: nothing that failed waits for its next turn.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { readinessOf } from "../../src/Health.ts"
import { namesOf } from "../../src/internal/redis/names.ts"
import { boundLetters } from "../../src/internal/scripts/deadLetterMoves.ts"
import { settle } from "../../src/internal/scripts/settle.ts"

import { trim } from "../../src/internal/scripts/streams.ts"
import { takeIdle } from "../../src/internal/scripts/take.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import { Redis } from "../../src/Redis.ts"
import * as RedisMemory from "../../src/RedisMemory.ts"
import * as Settings from "../../src/Settings.ts"
import * as RedisFaults from "../../src/testing/RedisFaults.ts"
import * as Worker from "../../src/Worker.ts"
import { actionOf } from "../support/messages.ts"

const names = namesOf(QueueNaming.make({ prefix: "nooble4", environment: "dev" }), "user")

const AppLayer = Layer.mergeAll(
  RedisFaults.layer().pipe(Layer.provideMerge(RedisMemory.layer)),
  QueueNaming.layer
).pipe(Layer.provideMerge(Settings.layerOf({ serviceName: "user" })))

/** A worker that would wait long for its next turn of anything. */
const startWorker = Worker.start({ "user.do": () => Effect.sleep("1 second") }, {
  block: "1 hour",
  claimIdle: "1 hour",
  consumers: 1,
  // Nobody lets the time of a drain pass.
  shutdownGrace: 0
})

const send = Effect.flatMap(
  Redis,
  (redis) => redis.send("XADD", names.stream, "*", "data", actionOf("user.do", 1, { data: {} }))
)

const ready = Effect.fnUntraced(function*(worker: Worker.Worker["Service"]) {
  const status = yield* worker.status
  // The read of an hour is of no interest here.
  return readinessOf(status, status.lastRenewed, { readGrace: 1e12 })
})

/** Lets time pass, second by second, until the worker is ready or not; returns how many seconds it took. */
const until = Effect.fnUntraced(function*(worker: Worker.Worker["Service"], expected: boolean, seconds: number) {
  for (let second = 0; second <= seconds; second++) {
    if ((yield* ready(worker)).ready === expected) return second
    yield* TestClock.adjust("1 second")
  }
  return yield* Effect.die(
    new Error(`still ${expected ? "not ready" : "ready"}: ${(yield* ready(worker)).problems.join()}`)
  )
})

/** The longest pause between two tries, and some. */
const soon = 6

describe("a worker is ready within seconds once Redis works again", () => {
  for (
    const [what, match] of [
      ["reading", RedisFaults.blockingReads],
      ["claiming", { lua: takeIdle.lua }],
      ["looking for what is due", "EXISTS"],
      ["bounding dead letters", { lua: boundLetters.lua }],
      ["trimming", { lua: trim.lua }]
    ] as const
  ) {
    it.effect(`after ${what} failed`, () =>
      Effect.gen(function*() {
        const worker = yield* startWorker
        assert.deepStrictEqual((yield* ready(worker)).problems, [])
        yield* RedisFaults.always(RedisFaults.fail, match)
        // The read that is on its way fails as well.
        if (what === "reading") yield* RedisFaults.RedisFaults.use(({ disconnect }) => disconnect)
        yield* until(worker, false, 4_000)
        yield* RedisFaults.clear
        // It was tried again after less than a second, and then at most twice as long after that.
        yield* until(worker, true, 2)
      }).pipe(Effect.scoped, Effect.provide(AppLayer)))
  }

  it.effect("after writing failed, and nothing is left to write when it works again", () =>
    Effect.gen(function*() {
      const worker = yield* startWorker
      yield* RedisFaults.always(RedisFaults.fail, { lua: settle.lua })
      yield* send
      yield* until(worker, false, 10)
      yield* RedisFaults.clear
      yield* RedisFaults.next(RedisFaults.refuse(`NOGROUP No such consumer group '${names.group}'`), {
        lua: settle.lua
      })
      yield* until(worker, true, soon)
    }).pipe(Effect.scoped, Effect.provide(AppLayer)))

  it.effect("after everything failed and one thing works again", () =>
    Effect.gen(function*() {
      const worker = yield* startWorker
      yield* RedisFaults.cut
      yield* until(worker, false, 10)
      yield* TestClock.adjust("5 minutes")
      yield* RedisFaults.restore
      yield* until(worker, true, soon)
      assert.strictEqual((yield* worker.status).trouble.size, 0)
    }).pipe(Effect.scoped, Effect.provide(AppLayer)))
})
