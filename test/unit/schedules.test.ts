/** When schedules recur, and what they do about slots that were missed. */
import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import { InvalidOption } from "../../src/internal/base/invalidOption.ts"
import { distinct } from "../../src/internal/schedules/declare.ts"
import {
  dueAt,
  firstUnfired,
  jitterOf,
  planOf,
  repairedSlot,
  slotAfterChange,
  slotsBetween
} from "../../src/internal/schedules/plan.ts"
import { defaultDst, parse, type Rule } from "../../src/internal/schedules/recurrence.ts"
import {
  decodeState,
  decodeStored,
  encodeState,
  encodeStored,
  fresh,
  recurrenceOf as boundedBy,
  type Spec,
  versionOf
} from "../../src/internal/schedules/spec.ts"
import * as Schedules from "../../src/Schedules.ts"

const time = (iso: string): number => Date.parse(iso)
const iso = (millis: number | undefined): string =>
  millis === undefined ? "none" : new Date(millis).toISOString().slice(0, 16) + "Z"

const cronRule = (cron: string, timeZone: string): Rule => ({ cron, timeZone, dst: defaultDst(cron) })

const recurrenceOf = (rule: Rule) => Result.getOrThrow(parse(rule))

/** The slots after a time, up to another. */
const slots = (rule: Rule, after: string, until: string): ReadonlyArray<string> => {
  const recurrence = recurrenceOf(rule)
  const found: Array<string> = []
  let slot = recurrence.next(time(after))
  while (slot !== undefined && slot <= time(until)) {
    found.push(iso(slot))
    slot = recurrence.next(slot)
  }
  return found
}

/** Every so many minutes, both ends included. */
const each = (minutes: number, from: string, until: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (let at = time(from); at <= time(until); at += minutes * 60_000) found.push(iso(at))
  return found
}

// -----------------------------------------------------------------------------
// daylight saving
// -----------------------------------------------------------------------------

/**
 * Made by hand from the rules of the zones in 2026. Berlin: 29 March and 25 October at 01:00Z, an hour. New York: 8 March at
 * 07:00Z and 1 November at 06:00Z, an hour. Lord Howe: 4 April at 15:00Z (back) and 3 October at 15:30Z (ahead), half an hour.
 */
const table: ReadonlyArray<
  readonly [cron: string, zone: string, after: string, until: string, expected: ReadonlyArray<string>]
> = [
  ["30 2 * * *", "Europe/Berlin", "2026-03-28T00:00Z", "2026-03-30T12:00Z", [
    "2026-03-28T01:30Z",
    // 02:30 does not exist and becomes 03:30.
    "2026-03-29T01:30Z",
    "2026-03-30T00:30Z"
  ]],
  ["30 2 * * *", "Europe/Berlin", "2026-10-24T00:00Z", "2026-10-26T12:00Z", [
    "2026-10-24T00:30Z",
    // 02:30 comes twice, and the first is taken.
    "2026-10-25T00:30Z",
    "2026-10-26T01:30Z"
  ]],
  [
    "*/15 * * * *",
    "Europe/Berlin",
    "2026-03-28T23:59Z",
    "2026-03-29T03:00Z",
    each(15, "2026-03-29T00:00Z", "2026-03-29T03:00Z")
  ],
  [
    "*/15 * * * *",
    "Europe/Berlin",
    "2026-10-24T23:59Z",
    "2026-10-25T03:00Z",
    each(15, "2026-10-25T00:00Z", "2026-10-25T03:00Z")
  ],
  [
    "0 * * * *",
    "Europe/Berlin",
    "2026-03-28T23:59Z",
    "2026-03-29T04:00Z",
    each(60, "2026-03-29T00:00Z", "2026-03-29T04:00Z")
  ],
  [
    "0 * * * *",
    "Europe/Berlin",
    "2026-10-24T22:59Z",
    "2026-10-25T04:00Z",
    each(60, "2026-10-24T23:00Z", "2026-10-25T04:00Z")
  ],
  ["30 2,3 * * *", "Europe/Berlin", "2026-03-29T00:00Z", "2026-03-29T12:00Z", ["2026-03-29T01:30Z"]],
  ["30 2,3 * * *", "Europe/Berlin", "2026-10-24T22:00Z", "2026-10-25T12:00Z", [
    "2026-10-25T00:30Z",
    "2026-10-25T02:30Z"
  ]],
  ["30 2 * * *", "America/New_York", "2026-03-07T00:00Z", "2026-03-09T12:00Z", [
    "2026-03-07T07:30Z",
    "2026-03-08T07:30Z",
    "2026-03-09T06:30Z"
  ]],
  ["30 2 * * *", "America/New_York", "2026-10-31T00:00Z", "2026-11-02T12:00Z", [
    "2026-10-31T06:30Z",
    "2026-11-01T07:30Z",
    "2026-11-02T07:30Z"
  ]],
  ["30 1 * * *", "America/New_York", "2026-11-01T00:00Z", "2026-11-01T12:00Z", ["2026-11-01T05:30Z"]],
  [
    "*/15 * * * *",
    "America/New_York",
    "2026-11-01T04:59Z",
    "2026-11-01T08:00Z",
    each(15, "2026-11-01T05:00Z", "2026-11-01T08:00Z")
  ],
  [
    "0 * * * *",
    "America/New_York",
    "2026-11-01T03:59Z",
    "2026-11-01T09:00Z",
    each(60, "2026-11-01T04:00Z", "2026-11-01T09:00Z")
  ],
  [
    "0 * * * *",
    "America/New_York",
    "2026-03-08T04:59Z",
    "2026-03-08T09:00Z",
    each(60, "2026-03-08T05:00Z", "2026-03-08T09:00Z")
  ],
  ["30 2,3 * * *", "America/New_York", "2026-03-08T00:00Z", "2026-03-08T12:00Z", ["2026-03-08T07:30Z"]],
  ["30 2,3 * * *", "America/New_York", "2026-11-01T00:00Z", "2026-11-01T12:00Z", [
    "2026-11-01T07:30Z",
    "2026-11-01T08:30Z"
  ]],
  // 02:00 comes once, half an hour later than it would have.
  ["0 * * * *", "Australia/Lord_Howe", "2026-04-04T13:30Z", "2026-04-04T16:30Z", [
    "2026-04-04T14:00Z",
    "2026-04-04T15:30Z",
    "2026-04-04T16:30Z"
  ]],
  // 02:00 does not exist and becomes 02:30.
  ["0 * * * *", "Australia/Lord_Howe", "2026-10-03T14:00Z", "2026-10-03T17:00Z", [
    "2026-10-03T14:30Z",
    "2026-10-03T15:30Z",
    "2026-10-03T16:00Z",
    "2026-10-03T17:00Z"
  ]],
  [
    "*/15 * * * *",
    "Australia/Lord_Howe",
    "2026-04-04T13:59Z",
    "2026-04-04T16:30Z",
    each(15, "2026-04-04T14:00Z", "2026-04-04T16:30Z")
  ],
  [
    "*/15 * * * *",
    "America/New_York",
    "2026-03-08T05:59Z",
    "2026-03-08T08:00Z",
    each(15, "2026-03-08T06:00Z", "2026-03-08T08:00Z")
  ],
  [
    "*/15 * * * *",
    "Australia/Lord_Howe",
    "2026-10-03T14:59Z",
    "2026-10-03T17:00Z",
    each(15, "2026-10-03T15:00Z", "2026-10-03T17:00Z")
  ],
  // 02:30 comes once, after the half hour that comes twice.
  ["30 2 * * *", "Australia/Lord_Howe", "2026-04-03T00:00Z", "2026-04-05T20:00Z", [
    "2026-04-03T15:30Z",
    "2026-04-04T16:00Z",
    "2026-04-05T16:00Z"
  ]],
  // 02:30 is the first minute after the gap.
  ["30 2 * * *", "Australia/Lord_Howe", "2026-10-02T00:00Z", "2026-10-04T20:00Z", [
    "2026-10-02T16:00Z",
    "2026-10-03T15:30Z",
    "2026-10-04T15:30Z"
  ]],
  // 01:30 comes twice, and the first is taken.
  ["30 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00Z", "2026-04-05T00:00Z", ["2026-04-04T14:30Z"]],
  ["30 2,3 * * *", "Australia/Lord_Howe", "2026-04-04T12:00Z", "2026-04-04T20:00Z", [
    "2026-04-04T16:00Z",
    "2026-04-04T17:00Z"
  ]],
  ["30 2,3 * * *", "Australia/Lord_Howe", "2026-10-03T14:00Z", "2026-10-03T18:00Z", [
    "2026-10-03T15:30Z",
    "2026-10-03T16:30Z"
  ]]
]

describe("A cron schedule over a change of the clocks", () => {
  for (const [cron, zone, after, until, expected] of table) {
    it(`fires ${cron} in ${zone} from ${after} on at the times that a person would expect`, () => {
      assert.deepStrictEqual(slots(cronRule(cron, zone), after, until), expected)
    })
  }

  it("finds the same slots backwards", () => {
    for (const [cron, zone, after, until, expected] of table) {
      const found = slotsBetween(recurrenceOf(cronRule(cron, zone)), time(after) + 1, time(until))
      assert.deepStrictEqual(found.map(iso), expected, `${cron} in ${zone}`)
    }
  })

  it("keeps both of two equal times by default only where it runs in every hour or in several", () => {
    for (const cron of ["* * * * *", "*/15 * * * *", "0 */2 * * *", "0 1-5 * * *", "0 30 */4 * * *"]) {
      assert.strictEqual(defaultDst(cron), "both", cron)
    }
    for (const cron of ["30 2 * * *", "0 2,3 * * 1-5", "*/15 3 * * *", "0 30 2 * * *"]) {
      assert.strictEqual(defaultDst(cron), "earlier", cron)
    }
  })
})

// -----------------------------------------------------------------------------
// plans
// -----------------------------------------------------------------------------

const minute = 60_000
const spec = (change: Partial<Spec> = {}): Spec => ({
  actionType: "user.report",
  data: {},
  rule: { every: 10 * minute },
  missed: "latest",
  overlap: "allow",
  jitter: 0,
  from: undefined,
  until: undefined,
  ...change
})

const plan = (change: Partial<Spec>, slot: number | undefined, now: number) => {
  const all = spec(change)
  return planOf("report", all, recurrenceOf(all.rule), { ...fresh, slot }, now)
}

const start = time("2026-06-01T00:00Z")
const at = (minutes: number) => start + minutes * minute

describe("The plan of a schedule", () => {
  const cases: ReadonlyArray<
    readonly [
      what: string,
      missed: Spec["missed"],
      now: number,
      fire: ReadonlyArray<number>,
      skipped: number,
      next: number
    ]
  > = [
    ["fires nothing before the slot", "latest", at(0) - 1, [], 0, at(0)],
    ["fires a slot that is due", "latest", at(0), [at(0)], 0, at(10)],
    ["fires a slot that is late, if nothing was missed after it", "latest", at(9), [at(0)], 0, at(10)],
    ["fires the latest of several", "latest", at(35), [at(30)], 3, at(40)],
    ["skips a slot that is late by a minute", "skip", at(1), [], 1, at(10)],
    ["fires a slot that is late by less than a minute, though it skips", "skip", at(1) - 1, [at(0)], 0, at(10)],
    ["skips all but one that is due", "skip", at(30), [at(30)], 3, at(40)],
    ["fires all within a time, the oldest first", { all: 20 * minute }, at(35), [at(20), at(30)], 2, at(40)],
    ["fires the latest, though it is older than the time", { all: 1 }, at(35), [at(30)], 3, at(40)]
  ]
  for (const [what, missed, now, fire, skipped, next] of cases) {
    it(what, () => {
      assert.deepStrictEqual(plan({ missed }, at(0), now), { fire, skipped, next })
    })
  }

  it("catches up at most 1,000 slots, the latest", () => {
    const { fire, next } = plan({ rule: { every: 1_000 }, missed: { all: 10_000_000 } }, start, start + 5_000_000)
    assert.lengthOf(fire, 1_000)
    assert.strictEqual(fire.at(-1), start + 5_000_000)
    assert.strictEqual(next, start + 5_001_000)
  })

  it("waits for the jitter of a slot, which is the same for every worker", () => {
    const jitter = 5 * minute
    const wait = jitterOf("report", at(0), jitter)
    assert.isAbove(wait, 0)
    assert.isAtMost(wait, jitter)
    assert.deepStrictEqual(plan({ jitter }, at(0), at(0) + wait - 1).fire, [])
    assert.deepStrictEqual(plan({ jitter }, at(0), at(0) + wait).fire, [at(0)])
    assert.isAbove(new Set(Array.from({ length: 50 }, (_, n) => jitterOf(String(n), at(0), jitter))).size, 40)
  })

  it("has no slot before from and after until", () => {
    const hourly = spec({ rule: { every: 60 * minute }, from: at(30), until: at(180) })
    const recurrence = Result.getOrThrow(boundedBy(hourly))
    assert.deepStrictEqual(slotsBetween(recurrence, at(-600), at(600)), [at(60), at(120), at(180)])
    assert.strictEqual(recurrence.next(at(-600)), at(60))
    assert.isUndefined(recurrence.next(at(180)))
  })

  it("may have a single slot, which is its beginning and its end", () => {
    const at6 = DateTime.makeUnsafe("2026-06-01T06:00Z")
    const options = { action: Action.make("user.report"), payload: {}, from: at6, until: at6 }
    assert.strictEqual(Schedules.every("once", { ...options, every: "1 hour" }).name, "once")
    assert.strictEqual(Schedules.cron("once", { ...options, cron: "0 6 * * *" }).name, "once")
  })

  it("keeps the next slot when only the payload changes, and begins anew when the recurrence does", () => {
    const state = { ...fresh, slot: at(0) }
    const recurrence = recurrenceOf(spec().rule)
    assert.strictEqual(slotAfterChange(spec(), spec({ data: { a: 1 } }), recurrence, state, at(35)), at(0))
    const faster = spec({ rule: { every: 5 * minute } })
    assert.strictEqual(slotAfterChange(spec(), faster, recurrenceOf(faster.rule), state, at(36)), at(40))
    assert.strictEqual(slotAfterChange(undefined, spec(), recurrence, state, at(35)), at(40))
  })

  it("is computed again where the slot lies beyond the second one after now", () => {
    const recurrence = recurrenceOf(spec().rule)
    const repaired = (slot: number | undefined, last?: number) =>
      repairedSlot(recurrence, { ...fresh, slot, last }, at(5))
    for (const right of [at(-60), at(10), at(20)]) assert.strictEqual(repaired(right), right)
    assert.strictEqual(repaired(at(30)), at(10))
    assert.strictEqual(repaired(at(525_600), at(525_590)), at(10))
  })

  it("keeps its slot when the clock is set back by less than 10 minutes, so that none fires again", () => {
    const every = recurrenceOf({ every: 1_000 })
    const state = { ...fresh, slot: at(9) + 1_000, last: at(9) }
    assert.strictEqual(repairedSlot(every, state, at(0)), state.slot)
    assert.strictEqual(firstUnfired(every, state, at(0)), state.slot)
    assert.strictEqual(repairedSlot(every, state, at(-2)), at(-2) + 1_000)
  })

  it("has slots again when a clock was ahead of its last slot", () => {
    const bounded = spec({ until: at(20) })
    const recurrence = Result.getOrThrow(boundedBy(bounded))
    assert.strictEqual(repairedSlot(recurrence, { ...fresh, last: at(525_600) }, at(5)), at(10))
    assert.isUndefined(repairedSlot(recurrence, { ...fresh, last: at(20) }, at(19)))
    assert.isUndefined(repairedSlot(recurrence, { ...fresh, last: at(20) }, at(25)))
  })

  it("waits no longer than to the next slot, however large the jitter is", () => {
    const all = spec({ jitter: 86_400_000 })
    const recurrence = recurrenceOf(all.rule)
    for (let n = 0; n < 200; n++) {
      const slot = at(10 * n)
      const due = dueAt("report", all, recurrence, slot)
      assert.isTrue(due >= slot && due < slot + 10 * minute)
      assert.deepStrictEqual(planOf("report", all, recurrence, { ...fresh, slot }, due), {
        fire: [slot],
        skipped: 0,
        next: slot + 10 * minute
      })
    }
  })
})

describe("A schedule in Redis", () => {
  it("is read as it was written", () => {
    const stored = {
      version: versionOf(spec()),
      origin: "declared",
      renewed: 5,
      spec: spec({ from: undefined })
    } as const
    const read = decodeStored(encodeStored(stored))
    assert.deepStrictEqual(JSON.stringify(read), JSON.stringify(stored))
    const state = { ...fresh, slot: 7, last: 3, fired: 2, paused: "maintenance" }
    assert.deepStrictEqual(decodeState(encodeState(state)), state)
  })

  it("keeps every digit of an integer in its payload", () => {
    const Import = Action.make("user.import", { payload: { id: Action.BigInt } })
    // SAFETY: `every` returns the whole of it.
    const { spec: declared, version } = Schedules.every("import", {
      action: Import,
      payload: { id: 9_007_199_254_740_993n },
      every: "1 hour"
    }) as Schedules.Schedule & { readonly spec: Spec }
    const read = decodeStored(encodeStored({ version, origin: "runtime", renewed: 1, spec: declared }))
    assert.deepStrictEqual(read?.spec.data, { id: 9_007_199_254_740_993n })
  })

  it("is none if another program wrote something else there", () => {
    for (const text of ["", "x", "a b c\n{}", "v declared 1\nnot json"]) assert.isUndefined(decodeStored(text), text)
    assert.deepStrictEqual(decodeState("nonsense"), fresh)
  })
})

// -----------------------------------------------------------------------------
// bad input
// -----------------------------------------------------------------------------

const Report = Action.make("user.report", { payload: { kind: Schema.String } })
const daily = { action: Report, payload: { kind: "a" }, cron: "0 3 * * *" } as const

describe("A schedule that could never run is refused, with", () => {
  const wrong: ReadonlyArray<readonly [what: string, make: () => unknown, message: RegExp]> = [
    [
      "an expression that never matches",
      () => Schedules.cron("a", { ...daily, cron: "0 0 30 2 *" }),
      /"cron" of "a" is "0 0 30 2 \*": expected a schedule with at least one slot/
    ],
    ["an expression that is none", () => Schedules.cron("a", { ...daily, cron: "often" }), /"cron" of "a" is "often"/],
    [
      "a minute that does not exist",
      () => Schedules.cron("a", { ...daily, cron: "61 * * * *" }),
      /"cron" of "a" is "61/
    ],
    [
      "an unknown zone",
      () => Schedules.cron("a", { ...daily, timeZone: "Europe/Atlantis" }),
      /"timeZone" of "a" is "Europe\/Atlantis": expected an IANA time zone/
    ],
    [
      "an interval under a second",
      () => Schedules.every("a", { ...daily, every: "500 millis" }),
      /"every" of "a" is "500 millis": expected a time from 1s to 366d/
    ],
    [
      "an interval that is not a number",
      () => Schedules.every("a", { ...daily, every: Number.NaN }),
      /"every" of "a" is NaN/
    ],
    ["a name with a space", () => Schedules.every("a b", { ...daily, every: "1 hour" }), /"name" is "a b"/],
    // SAFETY: what plain JavaScript could give.
    [
      "a payload that does not fit",
      () => Schedules.cron("a", { ...daily, payload: { kind: 1 as unknown as string } }),
      /"payload" of "a" is /
    ],
    ["an end before its first slot", () =>
      Schedules.cron("a", {
        ...daily,
        from: DateTime.makeUnsafe("2026-01-02T00:00Z"),
        until: DateTime.makeUnsafe("2026-01-01T00:00Z")
      }), /at least one slot/]
  ]
  for (const [what, make, message] of wrong) {
    it(what, () => {
      try {
        make()
      } catch (error) {
        assert.instanceOf(error, InvalidOption)
        assert.match(error.message, message)
        return
      }
      assert.fail("It was accepted")
    })
  }

  it("the name of another with a different specification", () => {
    const one = Schedules.cron("a", daily) as never
    const other = Schedules.cron("a", { ...daily, cron: "0 4 * * *" }) as never
    assert.isTrue(Result.isSuccess(distinct([one, one])))
    const refused = distinct([one, other])
    assert.isTrue(Result.isFailure(refused))
  })
})
