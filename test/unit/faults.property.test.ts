/**
 * Random schedules of sends, handler exits, crashes, clock jumps and faults, in memory under `TestClock`: each action is
 * handled or a dead letter, none is lost; none is answered twice, or before its handler has ended; only one owner runs it
 * unless a lease was lost; every caller is resolved; no worker ends or keeps what it should not.
 *
 * - `FAULTS_RUNS=2000` runs that many schedules (default 15), from `FAULTS_SEED` on (default 1).
 * - `FAULTS_ONLY=<seed>` runs one again, and `FAULTS_STEPS` limits it to its first steps, as a failure prints it.
 * - `FAULTS_VERBOSE=1` says which seed is being run.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as References from "effect/References"
import * as TestClock from "effect/testing/TestClock"
import { run } from "../support/modelRun.ts"
import { type Schedule, scheduleOf } from "../support/modelSchedule.ts"

const number = (name: string): number | undefined => {
  const text = process.env[name]
  return text === undefined || text === "" ? undefined : Number(text)
}

const runs = number("FAULTS_RUNS") ?? 15
const firstSeed = number("FAULTS_SEED") ?? 1
const only = number("FAULTS_ONLY")
const length = 40

/** A world of its own, with a clock of its own. */
const violationsOf = (schedule: Schedule): Effect.Effect<ReadonlyArray<string>> =>
  run(schedule).pipe(
    Effect.map((result) => result.violations),
    Effect.scoped,
    Effect.provideService(References.MinimumLogLevel, "None"),
    Random.withSeed(schedule.seed),
    Effect.provide(TestClock.layer()),
    Effect.catchCause((cause) => Effect.succeed([`the run broke off: ${Cause.pretty(cause)}`]))
  )

/** The shortest beginning of a schedule that still fails, then without what it can do without. */
const shrink = Effect.fnUntraced(function*(schedule: Schedule) {
  let steps = schedule.steps
  const fails = (steps: Schedule["steps"]) =>
    Effect.map(violationsOf({ ...schedule, steps }), (found) => found.length > 0)
  for (let cut = Math.floor(steps.length / 2); cut >= 1; cut = Math.floor(cut / 2)) {
    while (steps.length > cut && (yield* fails(steps.slice(0, steps.length - cut)))) {
      steps = steps.slice(0, steps.length - cut)
    }
  }
  const beginning = steps.length
  for (let at = steps.length - 1; at >= 0; at--) {
    const without = steps.filter((_, index) => index !== at)
    if (yield* fails(without)) steps = without
  }
  return { beginning, steps }
})

const verbose = process.env["FAULTS_VERBOSE"] !== undefined

const check = (forgetful: boolean) => (seed: number) =>
  Effect.gen(function*() {
    const whole = scheduleOf(seed, length, forgetful)
    const steps = number("FAULTS_STEPS")
    const schedule = steps === undefined ? whole : { ...whole, steps: whole.steps.slice(0, steps) }
    if (verbose) process.stderr.write(`seed ${seed}\n`)
    const found = yield* violationsOf(schedule)
    if (found.length === 0) return
    const { beginning, steps: least } = yield* shrink(schedule)
    const smallest = yield* violationsOf({ ...schedule, steps: least })
    assert.fail([
      `Seed ${seed} fails: ${found.join("; ")}`,
      `Again: FAULTS_ONLY=${seed} FAULTS_STEPS=${beginning} npx vitest run test/unit/faults.property.test.ts`,
      `The least of it fails with: ${smallest.join("; ")}`,
      ...least.map((step) => `  ${JSON.stringify(step)}`)
    ].join("\n"))
  })

describe("whatever goes wrong", () => {
  const seeds = only === undefined ? Array.from({ length: runs }, (_, index) => firstSeed + index) : [only]
  const limit = Math.max(60_000, runs * 10_000)

  it.live(
    "no action is lost, settled twice or answered twice, and every caller is resolved",
    () => Effect.forEach(seeds, check(false), { discard: true }),
    limit
  )

  it.live(
    "nothing hangs when the server forgets its data, and what is sent afterwards is not lost",
    () => Effect.forEach(seeds, check(true), { discard: true }),
    limit
  )
})
