import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { defaultSchedule, delayAfter, type RetrySchedule } from "../../src/internal/worker/backoff.ts"

const delays = (schedule: RetrySchedule, attempts: ReadonlyArray<number>): ReadonlyArray<number> =>
  attempts.map(delayAfter(schedule, Context.empty()))

const first = [1, 2, 3, 4, 5, 6]

describe("backoff", () => {
  it("replays a schedule from the number of failures alone, in any order", () => {
    const schedule = Schedule.exponential("100 millis")
    assert.deepStrictEqual(delays(schedule, first), [100, 200, 400, 800, 1_600, 3_200])
    assert.deepStrictEqual(delays(schedule, [4, 1, 4]), [800, 100, 800])
  })

  it("replays schedules of other shapes", () => {
    assert.deepStrictEqual(delays(Schedule.spaced("3 seconds"), first), first.map(() => 3_000))
    assert.deepStrictEqual(delays(Schedule.fibonacci("1 second"), [1, 2, 3, 4, 5]), [1_000, 1_000, 2_000, 3_000, 5_000])
    const capped = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("3 seconds")])
    assert.deepStrictEqual(delays(capped, [1, 2, 3, 4]), [1_000, 2_000, 3_000, 3_000])
  })

  it("gives the schedule the number of failures as its input", () => {
    const inputs: Array<number> = []
    const schedule: RetrySchedule = Schedule.spaced("1 second").pipe(
      Schedule.setInputType<number>(),
      Schedule.tap(({ input }) => Effect.sync(() => inputs.push(input)))
    )
    delays(schedule, [3])
    assert.deepStrictEqual(inputs, [1, 2, 3])
  })

  it("keeps the last delay of a schedule that is done: how many attempts there are is not for it to say", () => {
    const schedule = Schedule.exponential("100 millis").pipe(Schedule.upTo({ times: 2 }))
    const [one, two, ...more] = delays(schedule, [1, 2, 3, 4, 50])
    assert.deepStrictEqual([one, two], [100, 200])
    for (const delay of more) assert.strictEqual(delay, more[0])
    assert.isAtLeast(more[0]!, 200)
  })

  it("is from one second on and doubled by default, at most five minutes, with a jitter of a fifth", () => {
    const base = (attempt: number) => Math.min(1_000 * 2 ** (attempt - 1), 300_000)
    for (let round = 0; round < 20; round++) {
      for (const attempt of [1, 2, 5, 9, 10, 11, 30, 500]) {
        const [delay] = delays(defaultSchedule, [attempt])
        assert.isAtLeast(delay!, base(attempt) * 0.8)
        assert.isAtMost(delay!, base(attempt) * 1.2)
      }
    }
  })

  it("is not the same for all that fail at once", () => {
    assert.isAbove(new Set(Array.from({ length: 20 }, () => delays(defaultSchedule, [5])[0])).size, 10)
  })

  it("takes the default where a schedule waits, fails, or names no time", () => {
    const waits: RetrySchedule = Schedule.spaced("1 second").pipe(Schedule.tap(() => Effect.never))
    const forever: RetrySchedule = Schedule.spaced(Duration.infinity)
    for (const schedule of [waits, forever]) {
      const [delay] = delays(schedule, [1])
      assert.isAtLeast(delay!, 800)
      assert.isAtMost(delay!, 1_200)
    }
  })

  it("costs no more for a million attempts than for a thousand", () => {
    assert.deepStrictEqual(delays(Schedule.spaced("1 second"), [1_000_000]), [1_000])
  })
})
