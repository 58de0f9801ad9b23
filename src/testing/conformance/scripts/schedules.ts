import * as Effect from "effect/Effect"
import * as assert from "node:assert/strict"
import {
  fireSchedule,
  readSchedules,
  renewSchedules,
  scheduleNames,
  writeSchedule
} from "../../../internal/scripts/schedules.ts"
import { type Case, cases, Place, send, serverTime } from "../case.ts"
import { evaluate, group } from "./setup.ts"

const spec = "v1 declared 5\n{}"

const write = Effect.fnUntraced(
  function*(before: readonly [string, string], after: readonly [string, string], due: string) {
    const { names } = yield* Place
    return yield* evaluate(writeSchedule, {
      ...names,
      name: "nightly",
      specBefore: before[0],
      stateBefore: before[1],
      spec: after[0],
      state: after[1],
      due
    })
  }
)

const read = Effect.gen(function*() {
  const { names } = yield* Place
  return yield* evaluate(readSchedules, { ...names, names: ["nightly", "other"] })
})

const fire = Effect.fnUntraced(function*(version: string, stateBefore: string, texts: ReadonlyArray<string>) {
  const { names } = yield* Place
  return yield* evaluate(fireSchedule, {
    ...names,
    name: "nightly",
    version,
    stateBefore,
    state: "20",
    due: "20",
    texts
  })
})

const fireAlone = Effect.fnUntraced(function*(rule: string, id: string, stateBefore: string) {
  const { names } = yield* Place
  return yield* evaluate(fireSchedule, {
    ...names,
    name: "nightly",
    version: "v1",
    stateBefore,
    state: "20",
    due: "20",
    texts: [`text of ${id}`],
    alone: { keys: names, id, lane: "n:schedules\0nightly", rule, stateIfSkipped: "30" }
  })
})

export const scheduleCases: ReadonlyArray<Case> = cases("scripts: schedules", (test) => {
  test("writeSchedule writes only what is still as its caller has read it", () =>
    Effect.gen(function*() {
      const names = yield* group
      assert.equal(yield* write(["", ""], [spec, "10"], "10"), 1)
      assert.equal(yield* write(["", ""], [spec, "11"], "11"), 0)
      assert.equal(yield* write([spec, "9"], [spec, "11"], "11"), 0)
      const time = yield* serverTime
      const [now, ...texts] = (yield* read) as ReadonlyArray<string>
      assert.deepEqual(texts, [spec, "10", "", ""])
      assert.ok(Math.abs(Number(now) - time) < 60_000)
      assert.equal(Number(yield* send("ZSCORE", names.scheduleNext, "nightly")), 10)
      assert.deepEqual(yield* evaluate(scheduleNames, names), ["nightly"])
      assert.equal(yield* write([spec, "10"], [spec, "10"], ""), 1)
      assert.equal(yield* send("ZSCORE", names.scheduleNext, "nightly"), null)
      assert.equal(yield* write([spec, "10"], ["", ""], ""), 1)
      assert.equal(yield* send("EXISTS", names.scheduleSpecs, names.scheduleState, names.scheduleNext), 0)
    }))

  test("fireSchedule appends and moves on once, for the version and state that its caller has read", () =>
    Effect.gen(function*() {
      const names = yield* group
      yield* write(["", ""], [spec, "10"], "10")
      assert.equal(yield* fire("v2", "10", ["a"]), null)
      assert.equal(yield* fire("v1", "9", ["a"]), null)
      const ids = yield* fire("v1", "10", ["a", "b"])
      assert.ok(Array.isArray(ids) && ids.length === 2)
      assert.equal(yield* fire("v1", "10", ["a", "b"]), null)
      const rows = yield* send<ReadonlyArray<readonly [string, ReadonlyArray<string>]>>(
        "XRANGE",
        names.stream,
        "-",
        "+"
      )
      assert.deepEqual(rows, [[ids[0], ["data", "a"]], [ids[1], ["data", "b"]]])
      assert.equal(Number(yield* send("ZSCORE", names.scheduleNext, "nightly")), 20)
      assert.equal(yield* send("HGET", names.scheduleState, "nightly"), "20")
    }))

  test("fireSchedule lets the actions of a schedule take turns: it skips a slot, or lets one wait", () =>
    Effect.gen(function*() {
      const names = yield* group
      yield* write(["", ""], [spec, "10"], "10")
      const drop = "1 - - drop continue - - -"
      const ids = yield* fireAlone(drop, "a", "10")
      assert.ok(Array.isArray(ids) && ids.length === 1 && ids[0] !== "")
      assert.deepEqual(yield* fireAlone(drop, "b", "20"), [])
      assert.equal(yield* send("HGET", names.scheduleState, "nightly"), "30")
      assert.equal(yield* fireAlone(drop, "b", "20"), null)
      assert.equal(yield* send("XLEN", names.stream), 1)
      assert.equal(yield* send("ZCARD", names.lanesHeld), 1)
    }))

  test("renewSchedules renews the version that is declared, and no other", () =>
    Effect.gen(function*() {
      const names = yield* group
      yield* write(["", ""], [spec, "10"], "10")
      const stored = send<string>("HGET", names.scheduleSpecs, "nightly")
      yield* evaluate(renewSchedules, { ...names, versions: [["nightly", "v2"], ["other", "v1"]] })
      assert.equal(yield* stored, spec)
      const time = yield* evaluate(renewSchedules, { ...names, versions: [["nightly", "v1"]] })
      assert.equal(yield* stored, `v1 declared ${Number(time)}\n{}`)
    }))
})
