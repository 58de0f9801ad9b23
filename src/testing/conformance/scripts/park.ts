import * as Effect from "effect/Effect"
import * as assert from "node:assert/strict"
import {
  debounce,
  declareFeatures,
  decodeParked,
  park,
  type ParkParams,
  reschedule,
  uniqueHashOf,
  unpark
} from "../../../internal/scripts/park.ts"
import { decodeDue, decodeTake, takeDue } from "../../../internal/scripts/take.ts"
import { type Case, cases, key, Place, send, serverTime } from "../case.ts"
import { evaluate, group, noTerms } from "./setup.ts"

const supported = Effect.gen(function*() {
  const names = yield* group
  yield* evaluate(declareFeatures, { features: names.features, names: ["parked", "unique"] })
  return names
})

const parked = Effect.fnUntraced(function*(change: Partial<ParkParams> = {}) {
  const { names } = yield* Place
  return decodeParked(
    yield* evaluate(park, {
      ...names,
      ...noTerms,
      when: "+60000",
      ids: ["a"],
      texts: ["text of a"],
      ...change
    })
  )
})

/** Lets in what is due. */
const due = Effect.gen(function*() {
  const { names } = yield* Place
  const reply = yield* evaluate(takeDue, {
    ...names,
    consumer: "me",
    aloneConsumer: "alone",
    suspectAfter: 3,
    limit: 0,
    budget: 1_000
  })
  return decodeDue(decodeTake(reply).rest)
})

const fields = Effect.gen(function*() {
  const { names } = yield* Place
  const rows = yield* send<ReadonlyArray<readonly [string, ReadonlyArray<string>]>>("XRANGE", names.stream, "-", "+")
  return rows.map(([, pairs]) => pairs)
})

/** Makes parked actions due now. */
const makeDue = (...ids: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const { names } = yield* Place
    for (const id of ids) yield* evaluate(reschedule, { ...names, parkingId: id, when: "" })
  })

export const parkCases: ReadonlyArray<Case> = cases("scripts: park", (test) => {
  test("park asks for the capability of a worker first, and writes nothing without it", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      assert.equal(yield* parked(), "parked")
      yield* evaluate(declareFeatures, { features: names.features, names: ["parked"] })
      assert.equal(yield* parked({ uniqueKey: yield* key("unique") }), "unique")
      assert.equal(yield* send("EXISTS", names.parkedEntries, names.parkedDue, names.stream), 0)
    }))

  test("park keeps the fields of an entry byte by byte until it is due", () =>
    Effect.gen(function*() {
      const names = yield* supported
      const texts = ["", "7:text", "\n", "😀 ü", "x".repeat(70_000)]
      const ids = texts.map((_, index) => `id ${index}`)
      const time = yield* serverTime
      const replies = yield* parked({ ids, texts, traceparent: "trace", expiresIn: 3_600_000 })
      assert.ok(Array.isArray(replies) && replies.length === texts.length)
      for (const reply of replies) {
        assert.ok(typeof reply === "object" && reply._tag === "Scheduled" && reply.at >= time)
      }
      assert.deepEqual(yield* fields, [])
      yield* makeDue(...ids)
      const { late, nextOther, promoted } = yield* due
      assert.deepEqual([promoted, nextOther], [texts.length, undefined])
      assert.ok(late >= 0)
      const entries = yield* fields
      assert.deepEqual(
        entries.map((pairs) => pairs.slice(0, 4)),
        texts.map((text) => ["data", text, "traceparent", "trace"])
      )
      for (const pairs of entries) {
        assert.equal(pairs[4], "expires")
        assert.ok(Number(pairs[5]) >= time + 3_600_000)
      }
      assert.equal(yield* send("EXISTS", names.parkedEntries, names.parkedDue), 0)
    }))

  test("park appends what is due now, and says when the rest is", () =>
    Effect.gen(function*() {
      yield* supported
      const [sent] = yield* parked({ when: "@0" })
      assert.ok(typeof sent === "object" && sent._tag === "Sent" && /^\d+-\d+$/.test(sent.entryId))
      assert.deepEqual(yield* fields, [["data", "text of a"]])
      yield* parked({ ids: ["b"] })
      const { nextOther, promoted } = yield* due
      assert.equal(promoted, 0)
      assert.ok(nextOther !== undefined && nextOther > 50_000 && nextOther <= 60_000)
    }))

  test("park answers a parked id as a duplicate", () =>
    Effect.gen(function*() {
      yield* supported
      yield* parked()
      const duplicate = { _tag: "Duplicate", actionId: "a", entryId: undefined }
      assert.deepEqual(yield* parked({ texts: ["another"] }), [duplicate])
    }))

  test("park answers a used key with the first action, and a removal frees it", () =>
    Effect.gen(function*() {
      const names = yield* supported
      const id = "3f0c1b9e-6f0a-4d8e-9a53-2b1f6f0a77aa"
      const unique = { uniqueKey: yield* key("unique"), uniqueHash: "f".repeat(40), within: 60_000, ids: [id] }
      yield* parked(unique)
      const again = yield* parked({ ...unique, ids: ["b"], when: "" })
      assert.deepEqual(again, [{ _tag: "Duplicate", actionId: id, entryId: undefined }])
      assert.equal(yield* evaluate(uniqueHashOf, { ...names, parkingId: id }), unique.uniqueHash)
      assert.equal(yield* evaluate(unpark, { ...names, ...unique, parkingId: id }), 1)
      assert.equal(yield* evaluate(unpark, { ...names, ...unique, parkingId: id }), 0)
      const [sent] = yield* parked({ ...unique, when: "" })
      assert.ok(typeof sent === "object" && sent._tag === "Sent")
      assert.deepEqual(yield* parked(unique), [{ _tag: "Duplicate", actionId: id, entryId: sent.entryId }])
    }))

  test("takeDue drops parked actions that are over, and counts them", () =>
    Effect.gen(function*() {
      const { pass } = yield* Place
      yield* supported
      yield* parked({ ids: ["a", "b"], texts: ["1", "2"], expiresIn: 20, when: "+10" })
      yield* parked({ ids: ["c"] })
      yield* pass("50 millis")
      yield* makeDue("c")
      const { over, promoted } = yield* due
      assert.deepEqual([promoted, over], [1, 2])
      assert.deepEqual(yield* fields, [["data", "text of a"]])
    }))

  test("takeDue lets in at most 100 parked actions in one call", () =>
    Effect.gen(function*() {
      yield* supported
      const ids = Array.from({ length: 150 }, (_, index) => String(index))
      yield* parked({ ids, texts: ids })
      yield* makeDue(...ids)
      const first = yield* due
      assert.deepEqual([first.promoted, first.nextOther], [100, 0])
      assert.equal((yield* due).promoted, 50)
    }))

  test("takeDue lets in at most a MiB in one call, or one larger action", () =>
    Effect.gen(function*() {
      yield* supported
      const ids = ["a", "b", "c"]
      yield* parked({ ids, texts: ids.map((id) => id.repeat(700_000)) })
      yield* makeDue(...ids)
      assert.equal((yield* due).promoted, 1)
      assert.equal((yield* due).promoted, 1)
      assert.equal((yield* due).promoted, 1)
    }))

  test("reschedule gives a parked action another time, and no other", () =>
    Effect.gen(function*() {
      const names = yield* supported
      yield* parked()
      const time = yield* serverTime
      const at = Number(yield* evaluate(reschedule, { ...names, parkingId: "a", when: "+7000" }))
      assert.ok(at >= time + 7_000 && at < time + 60_000)
      assert.equal(Number(yield* send("ZSCORE", names.parkedDue, "a")), at)
      assert.equal(yield* evaluate(reschedule, { ...names, parkingId: "b", when: "+7000" }), null)
    }))

  test("debounce keeps the last text, and is due at most maxWait after the first", () =>
    Effect.gen(function*() {
      const names = yield* supported
      const call = (text: string, quiet: number) =>
        Effect.map(
          evaluate(debounce, {
            ...names,
            parkingId: "debounce",
            quiet,
            maxWait: 10_000,
            expiresIn: undefined,
            traceparent: "trace",
            text
          }),
          decodeParked
        )
      const time = yield* serverTime
      const [first] = yield* call("1", 5_000)
      const [second] = yield* call("2", 60_000)
      assert.ok(typeof first === "object" && first._tag === "Scheduled" && first.at < time + 10_000)
      assert.ok(typeof second === "object" && second._tag === "Scheduled" && second.at >= time + 10_000)
      assert.ok(second.at < time + 60_000)
      yield* makeDue("debounce")
      yield* due
      assert.deepEqual(yield* fields, [["data", "2", "traceparent", "trace"]])
    }))
})
