/**
 * A process that stands still right after its worker was started.
 */
import { assert } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Worker from "../../src/Worker.ts"
import { inMemory } from "../support/layers.ts"

inMemory("a worker that was just started", (test) => {
  test("reports that the event loop was blocked before anything else ran", () =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      let stood = 0n
      const standing: Clock.Clock = Object.create(clock, {
        monotonicTimeNanosUnsafe: { value: () => clock.monotonicTimeNanosUnsafe() + stood }
      })
      const worker = yield* Effect.provideService(
        Worker.start({ "user.ping": () => Effect.void }),
        Clock.Clock,
        standing
      )
      stood = 5_000_000_000n
      for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
      const { eventLoopDelay } = yield* worker.status
      assert.isAtLeast(Duration.toMillis(eventLoopDelay), 4_000)
    }))
})
