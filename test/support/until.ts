import * as Effect from "effect/Effect"

/** Waits, in real time, until the condition holds; fails the test when it does not within the bound (10 s). */
export const until = <E, R>(
  what: string,
  condition: Effect.Effect<boolean, E, R>,
  within = 10_000
): Effect.Effect<void, E, R> =>
  Effect.gen(function*() {
    const deadline = performance.now() + within
    while (!(yield* condition)) {
      if (performance.now() > deadline) return yield* Effect.die(new Error(`still not so after ${within} ms: ${what}`))
      yield* Effect.promise(() => new Promise<void>((resolve) => setTimeout(resolve, 5)))
    }
  })
