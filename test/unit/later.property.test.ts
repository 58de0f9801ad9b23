/**
 * Random schedules of delayed sends, cancellations, new times and crashing workers, in memory under `TestClock`: each action
 * enters the stream once, at its time, or was cancelled.
 *
 * `LATER_RUNS=500` runs that many schedules (default 8), from `LATER_SEED` on (default 1). `LATER_ONLY=<seed>` runs one again.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as References from "effect/References"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"
import * as ActionId from "../../src/ActionId.ts"
import { takeDue } from "../../src/internal/scripts/take.ts"
import { generator } from "../../src/internal/testing/generator.ts"
import type { Receipt } from "../../src/Receipt.ts"
import * as RedisFaults from "../../src/testing/RedisFaults.ts"
import * as Model from "../support/modelWorld.ts"

const number = (name: string): number | undefined => {
  const text = process.env[name]
  return text === undefined || text === "" ? undefined : Number(text)
}

/** The time of the test passes in steps of so many milliseconds. */
const step = 50
/** The longest time until a worker notices what another process parked, and some steps. */
const notice = 1_000 + 3 * step
/** How long a worker whose reply is held back lives on before it crashes. */
const dying = 400

/** An action, as it should be. */
interface Expected {
  readonly key: string
  /** When its last time was set, and to what. Milliseconds of the server. */
  since: number
  due: number
  /** A call that was too late to change it proves that it is in the stream by then. */
  entered: boolean
  cancelled: boolean
}

/** A worker that took what was due, from its start until it was told to crash. */
interface Watch {
  readonly from: number
  to: number
}

const dueOf = (receipt: Receipt, now: number): number =>
  receipt._tag === "Scheduled" ? DateTime.toEpochMillis(receipt.at) : now

/** The latest time at which an action may have entered the stream; infinite if no worker was there for long enough. */
const latestOf = ({ due, since }: Expected, watches: ReadonlyArray<Watch>): number => {
  let latest = Number.POSITIVE_INFINITY
  for (const { from, to } of watches) {
    // It was known for long enough, so a worker that was there all the time is exact.
    if (Math.max(since, from) + notice <= due && due + 2 * step <= to) latest = Math.min(latest, due + 2 * step)
    const noticed = Math.max(due, since, from) + notice
    if (noticed <= to) latest = Math.min(latest, noticed)
  }
  return latest
}

const run = Effect.fnUntraced(function*(seed: number) {
  yield* TestClock.setTime(Date.UTC(2026, 5, 29, 4, 3))
  const random = generator(seed)
  const upTo = (max: number) => Math.floor(random() * max)
  const oneOf = <A>(values: ReadonlyArray<A>): A => values[upTo(values.length)]!
  const world = yield* Model.makeWorld((job) => Effect.succeed(Model.resultOf(job)))
  const { client } = yield* world.makeSender()
  const wrong: Array<string> = []
  const actions: Array<Expected> = []
  const alive = new Map<Model.Process, Watch>()
  const watches: Array<Watch> = []
  let processes = 0

  const pass = Effect.fnUntraced(function*(millis: number) {
    for (let passed = 0; passed < millis; passed += step) yield* TestClock.adjust(step)
  })

  const start = Effect.gen(function*() {
    const process = yield* world.start(`p${processes++}`)
    yield* world.until(`${process.name} has started`, () => Effect.sync(() => process.worker() !== undefined), { step })
    const watch = { from: yield* Clock.currentTimeMillis, to: Number.POSITIVE_INFINITY }
    watches.push(watch)
    alive.set(process, watch)
  })

  const delay = () => oneOf([0, 1, 30, 700, 1_000, 2_500, 5_000, 12_000, 20_000]) + upTo(50)

  const send = Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    const count = oneOf([1, 1, 1, 3, 130])
    const keys = Array.from({ length: count }, (_, index) => `k${actions.length + index}`)
    const payloads = keys.map((key) => ({ key }))
    const millis = delay()
    const options = random() < 0.5 ? { delay: millis } : { at: DateTime.makeUnsafe(now + millis - upTo(200)) }
    const receipts = count === 1
      ? [yield* client.send(Model.Do, payloads[0]!, { ...options, actionId: keys[0] })]
      : yield* client.sendMany(Model.Do, payloads, { ...options, actionIds: keys })
    receipts.forEach((receipt, index) => {
      const entered = receipt._tag === "Sent"
      actions.push({ key: keys[index]!, since: now, due: dueOf(receipt, now), entered, cancelled: false })
    })
  })

  const targetOf = ({ key }: Expected) => ({
    actionId: Result.getOrThrow(ActionId.from(Model.Do.type, key)),
    service: "work"
  })

  /** A send of an id that is parked is a duplicate, which names the action. */
  const repeat = Effect.fnUntraced(function*(action: Expected) {
    if (action.entered || action.cancelled || action.due <= (yield* Clock.currentTimeMillis)) return
    const receipt = yield* client.send(Model.Do, { key: action.key }, { actionId: action.key, delay: "1 hour" })
    if (receipt._tag !== "Duplicate") wrong.push(`${action.key} was accepted twice`)
  })

  const cancel = Effect.fnUntraced(function*(action: Expected) {
    const result = yield* Effect.result(client.remove(targetOf(action)))
    if (Result.isSuccess(result)) {
      if (action.cancelled || action.entered) wrong.push(`${action.key} was cancelled when it was gone`)
      action.cancelled = true
    } else if (!action.cancelled) action.entered = true
  })

  const move = Effect.fnUntraced(function*(action: Expected) {
    const now = yield* Clock.currentTimeMillis
    const result = yield* Effect.result(client.reschedule(targetOf(action), { delay: delay() }))
    if (Result.isSuccess(result)) {
      if (action.cancelled || action.entered) wrong.push(`${action.key} was given a time when it was gone`)
      action.since = now
      action.due = DateTime.toEpochMillis(result.success.at)
    } else if (!action.cancelled) action.entered = true
  })

  const crash = Effect.fnUntraced(function*(isPromoting: boolean) {
    const [process, watch] = oneOf([...alive])
    watch.to = yield* Clock.currentTimeMillis
    alive.delete(process)
    if (isPromoting) {
      // The script runs, and its worker never learns of it.
      yield* process.faults.next(RedisFaults.hang, { lua: takeDue.lua })
      yield* pass(dying)
    }
    yield* process.crash
  })

  yield* start
  for (let count = 0; count < 50; count++) {
    const kind = random()
    const some = actions.length === 0 ? undefined : oneOf(actions)
    if (kind < 0.3 || some === undefined) yield* send
    else if (kind < 0.4) yield* cancel(some)
    else if (kind < 0.5) yield* move(some)
    else if (kind < 0.55) yield* repeat(some)
    else if (kind < 0.62) yield* alive.size < 3 ? start : pass(step)
    else if (kind < 0.7) yield* alive.size > 0 ? crash(random() < 0.5) : start
    else if (kind < 0.73) yield* Effect.orDie(world.admin.send("SCRIPT", "FLUSH"))
    else yield* pass(oneOf([step, 300, 1_000, 2_000]))
  }
  yield* start
  yield* pass(45_000)

  const now = yield* Clock.currentTimeMillis
  for (const action of actions) {
    const entries = [...new Set(world.runs.filter(({ key }) => key === action.key).map(({ entryId }) => entryId))]
    if (action.cancelled) {
      if (entries.length > 0) wrong.push(`${action.key} ran, though it was cancelled`)
      continue
    }
    if (entries.length !== 1) {
      wrong.push(`${action.key} is ${entries.length} entries that ran, and not one`)
      continue
    }
    // The id of an entry is the server's time.
    const entered = Number(entries[0]!.split("-")[0])
    if (entered < action.due) wrong.push(`${action.key} entered ${action.due - entered} ms before its time`)
    const late = entered - Math.min(latestOf(action, watches), now)
    if (late > 0) wrong.push(`${action.key} entered ${entered - action.due} ms after its time, ${late} ms too late`)
  }
  const info = yield* world.admin.send<ReadonlyArray<unknown>>("XINFO", "STREAM", world.names.stream)
  const added = Number(info[info.indexOf("entries-added") + 1])
  const expected = actions.filter(({ cancelled }) => !cancelled).length
  if (added !== expected) wrong.push(`${added} entries were appended for ${expected} actions`)
  const { parkedDue, parkedEntries } = world.names
  if (Number(yield* world.admin.send("EXISTS", parkedDue, parkedEntries)) > 0) {
    wrong.push("parked actions are left over")
  }
  for (const process of alive.keys()) yield* process.crash
  return wrong
})

const violationsOf = (seed: number): Effect.Effect<ReadonlyArray<string>> =>
  run(seed).pipe(
    Effect.scoped,
    Effect.provideService(References.MinimumLogLevel, "None"),
    Random.withSeed(seed),
    Effect.provide(TestClock.layer()),
    Effect.catchCause((cause) => Effect.succeed([`the run broke off: ${Cause.pretty(cause)}`]))
  )

describe("Delayed actions, whatever happens to the workers,", () => {
  const only = number("LATER_ONLY")
  const first = number("LATER_SEED") ?? 1
  const runs = number("LATER_RUNS") ?? 8
  const seeds = only === undefined ? Array.from({ length: runs }, (_, index) => first + index) : [only]

  it.live(
    "enter the stream once and at their time, unless they were cancelled",
    () =>
      Effect.forEach(seeds, (seed) =>
        Effect.map(violationsOf(seed), (wrong) => {
          if (wrong.length === 0) return
          assert.fail(
            `Seed ${seed} fails: ${wrong.slice(0, 10).join("; ")}. ` +
              `Again: LATER_ONLY=${seed} npx vitest run test/unit/later.property.test.ts`
          )
        }), { discard: true }),
    Math.max(60_000, runs * 10_000)
  )
})
