import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"

/** Waits, in real time, until the condition holds; fails the test when it does not within the bound (20 s). */
export const until = <E, R>(
  what: string,
  condition: Effect.Effect<boolean, E, R>,
  within = 20_000
): Effect.Effect<void, E, R> =>
  Effect.gen(function*() {
    const deadline = performance.now() + within
    while (!(yield* condition)) {
      if (performance.now() > deadline) return yield* Effect.die(new Error(`still not so after ${within} ms: ${what}`))
      yield* Effect.promise(() => new Promise<void>((resolve) => setTimeout(resolve, 5)))
    }
  })

/** Lets the time of `TestClock` pass in small steps until the condition holds; fails the test after the bound (60 s of it). */
export const untilOnClock = Effect.fnUntraced(function*<E, R>(
  what: string,
  condition: () => Effect.Effect<boolean, E, R>,
  bound: { readonly within?: number; readonly step?: number } = {}
) {
  const { step = 50, within = 60_000 } = bound
  for (let passed = 0; !(yield* condition()); passed += step) {
    if (passed >= within) return yield* Effect.die(new Error(`still not so after ${within} ms: ${what}`))
    yield* TestClock.adjust(step)
  }
})
