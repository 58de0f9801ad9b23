import * as Effect from "effect/Effect"
import * as assert from "node:assert/strict"
import { delayUntilEndOf } from "../../../internal/redis/pauses.ts"
import { array } from "../../../internal/redis/reply.ts"
import {
  listEntries,
  listParked,
  listRetries,
  lookAt,
  lookAtParked,
  overview,
  searchPending,
  searchStream
} from "../../../internal/scripts/inspect.ts"
import { sendLaned } from "../../../internal/scripts/laneCalls.ts"
import { laneOf } from "../../../internal/scripts/laneKeys.ts"
import { declareFeatures, park } from "../../../internal/scripts/park.ts"
import { buryEntry, buryParked, hasten, pause, removeEntries, unpause } from "../../../internal/scripts/steer.ts"
import { type Case, cases, send } from "../case.ts"
import { add, deliver, dueIn, evaluate, group, noTerms, stored, wait } from "./setup.ts"

/** Arrays in a reply, as rows. */
const rowsIn = (reply: unknown): ReadonlyArray<ReadonlyArray<unknown>> =>
  Array.isArray(reply) && Array.isArray(reply[0]) ? reply[0] : []

/** One entry that runs, one that waits for a retry, one that was not delivered, and a parked action. */
const service = Effect.gen(function*() {
  const names = yield* group
  const [running = "", retrying = ""] = yield* deliver("me", 2)
  yield* wait(retrying, 60_000, "1 1 0 ")
  const [waiting = ""] = yield* add(["data", "text of three"])
  yield* evaluate(declareFeatures, { features: names.features, names: ["parked"] })
  yield* evaluate(park, {
    ...names,
    ...noTerms,
    when: "+60000",
    ids: ["a"],
    texts: ["text of a"]
  })
  return { names, running, retrying, waiting }
})

const page = { newest: false, cursor: "", limit: 10, head: 4, holder: "" }
const first = { score: "", member: "", limit: 10, head: 4 }

export const inspectCases: ReadonlyArray<Case> = cases("scripts: inspect", (test) => {
  test("overview counts what there is", () =>
    Effect.gen(function*() {
      const { names } = yield* service
      const reply = yield* evaluate(overview, names)
      const counts = Array.isArray(reply) ? [reply[1], reply[2], reply[4], reply[6], reply[15]].map(Number) : []
      assert.deepEqual(counts, [3, 0, 1, 1, 1])
    }))

  test("listEntries tells waiting from running entries, and sends the head of the data", () =>
    Effect.gen(function*() {
      const { names, running, waiting } = yield* service
      const held = rowsIn(yield* evaluate(listEntries, { ...names, ...page, state: "running" }))
      assert.deepEqual(held.map(([id, , data, , consumer]) => [id, data, consumer]), [[running, "me 0", "me"]])
      const left = rowsIn(yield* evaluate(listEntries, { ...names, ...page, state: "waiting" }))
      assert.deepEqual(left.map(([id, , data, length]) => [id, data, length]), [[waiting, "text", 13]])
    }))

  test("listRetries and listParked return what is due later, and go on after a member", () =>
    Effect.gen(function*() {
      const { names, retrying } = yield* service
      assert.equal(rowsIn(yield* evaluate(listRetries, { ...names, ...first }))[0]?.[0], retrying)
      assert.equal(rowsIn(yield* evaluate(listParked, { ...names, ...first }))[0]?.[0], "a")
      assert.deepEqual(rowsIn(yield* evaluate(listParked, { ...names, ...first, score: "0", member: "a" })), [])
      // A member that is gone: the call goes on after those with a lower score.
      assert.equal(rowsIn(yield* evaluate(listParked, { ...names, ...first, score: "0", member: "b" })).length, 1)
    }))

  test("lookAt, lookAtParked and searchStream find one action", () =>
    Effect.gen(function*() {
      const { names, retrying, running, waiting } = yield* service
      for (const [id, state] of [[running, "running"], [retrying, "retrying"], [waiting, "waiting"]] as const) {
        const reply = yield* evaluate(lookAt, { ...names, id, head: 4 })
        assert.equal(Array.isArray(reply) && reply[0], state)
      }
      const parked = yield* evaluate(lookAtParked, { ...names, parkingId: "a", head: 4 })
      assert.equal(Array.isArray(parked) && parked[2], "text")
      const search = { stream: names.stream, text: "of three", from: "-", cursor: "", limit: 10 }
      assert.deepEqual(yield* evaluate(searchStream, search), [[waiting], 3, ""])
    }))

  test("removeEntries removes what does not run, and names the consumer of what does", () =>
    Effect.gen(function*() {
      const { names, retrying, running, waiting } = yield* service
      assert.deepEqual(
        yield* evaluate(removeEntries, { ...names, ids: [running, retrying, waiting, "1-1"] }),
        ["running", "me", "retrying", "", "waiting", "", "missing", ""]
      )
      assert.deepEqual(yield* stored, [running])
      assert.equal(yield* send("EXISTS", names.retryDue, names.retryRecords), 0)
    }))

  test("hasten makes a retry due now, and nothing else", () =>
    Effect.gen(function*() {
      const { names, retrying, running } = yield* service
      assert.deepEqual(yield* evaluate(hasten, { ...names, id: retrying }), ["retrying", ""])
      assert.ok(((yield* dueIn(retrying)) ?? 1) <= 0)
      assert.deepEqual(yield* evaluate(hasten, { ...names, id: running }), ["running", "me"])
    }))

  test("buryEntry and buryParked make dead letters of what does not run", () =>
    Effect.gen(function*() {
      const { names, retrying, running } = yield* service
      const notes = { actionId: "id", actionType: "a.b", message: "no" }
      assert.deepEqual(yield* evaluate(buryEntry, { ...names, ...notes, id: running }), ["running", "me"])
      const buried = yield* evaluate(buryEntry, { ...names, ...notes, id: retrying })
      assert.equal(Array.isArray(buried) && buried[0], "retrying")
      assert.equal(typeof (yield* evaluate(buryParked, { ...names, ...notes, parkingId: "a" })), "string")
      assert.equal(yield* evaluate(buryParked, { ...names, ...notes, parkingId: "a" }), null)
      assert.equal(yield* send("XLEN", names.deadLetters), 2)
    }))

  test("pause and unpause change one field, and a value that was replaced stays", () =>
    Effect.gen(function*() {
      const { names } = yield* service
      const { paused } = names
      assert.equal(yield* evaluate(pause, { ...names, field: "*", lasts: undefined, reason: "why" }), "halted")
      assert.equal(yield* send("HGET", paused, "*"), "halted 1 why")
      assert.equal(yield* evaluate(unpause, { paused, field: "*", value: "another" }), 0)
      assert.equal(yield* evaluate(unpause, { paused, field: "*" }), 1)
    }))

  test("pause gives each pause a number of its own, which it keeps, and none for which entries wait", () =>
    Effect.gen(function*() {
      const { names, retrying } = yield* service
      const begin = (field: string) => evaluate(pause, { ...names, field, lasts: undefined, reason: "" })
      yield* send("ZADD", names.retryDue, delayUntilEndOf(2) + 5, retrying)
      for (const field of ["*", "a.b", "c.d", "a.b"]) yield* begin(field)
      const numbers = [yield* send("HGET", names.paused, "*"), yield* send("HGET", names.paused, "a.b")]
      assert.deepEqual([...numbers, yield* send("HGET", names.paused, "c.d")], ["halted 1 ", "halted 3 ", "halted 4 "])
    }))

  test("hasten leaves an entry that waits for the end of a pause", () =>
    Effect.gen(function*() {
      const { names, retrying } = yield* service
      yield* send("ZADD", names.retryDue, delayUntilEndOf(1) + 5, retrying)
      assert.deepEqual(yield* evaluate(hasten, { ...names, id: retrying }), ["held", ""])
      assert.equal(Number(yield* send("ZSCORE", names.retryDue, retrying)), delayUntilEndOf(1) + 5)
    }))

  test("searchPending finds entries that were delivered, and tells whether all before an id were", () =>
    Effect.gen(function*() {
      const { names, retrying, waiting } = yield* service
      const search = { ...names, text: "me 1", cursor: "", limit: 10 }
      assert.deepEqual(yield* evaluate(searchPending, { ...search, before: waiting }), [[retrying], 2, "", 0])
      assert.deepEqual(yield* evaluate(searchPending, { ...search, before: retrying }), [[], 1, "", 1])
      const one = yield* evaluate(searchPending, { ...search, before: waiting, limit: 1 })
      assert.equal(Array.isArray(one) && one[1], 1)
      assert.deepEqual(yield* evaluate(searchPending, { ...search, before: waiting, group: "other" }), [[], 0, "", 0])
    }))

  test("removeEntries gives the place of an entry in its lane back, and lets the next in", () =>
    Effect.gen(function*() {
      const { names } = yield* service
      const lane = laneOf("t:a.b", "k")
      yield* evaluate(declareFeatures, { features: names.features, names: ["lanes"] })
      yield* evaluate(sendLaned, {
        ...names,
        ...noTerms,
        when: "",
        rule: "1 - - wait continue - - -",
        actions: [{ id: "one", lane, text: "first" }, { id: "two", lane, text: "second" }]
      })
      const idOf = (place: unknown) => String(place).slice(lane.length + 1)
      const first = idOf(array(yield* send("ZRANGE", names.lanesHeld, 0, -1))[0])
      assert.deepEqual(yield* evaluate(removeEntries, { ...names, ids: [first] }), ["waiting", ""])
      const [second, ...none] = array(yield* send("ZRANGE", names.lanesHeld, 0, -1)).map(idOf)
      assert.deepEqual(none, [])
      assert.notEqual(second, first)
      assert.equal(yield* send("ZCARD", names.lanesWaiting), 0)
      const buried = yield* evaluate(buryEntry, { ...names, actionId: "", actionType: "", message: "", id: second! })
      assert.equal(Array.isArray(buried) && buried[0], "waiting")
      assert.equal(yield* send("ZCARD", names.lanesHeld), 0)
    }))

  test("ZRANK is the place of a member, and ZCOUNT the number of members between scores", () =>
    Effect.gen(function*() {
      const { names } = yield* service
      assert.equal(yield* send("ZRANK", names.parkedDue, "a"), 0)
      assert.equal(yield* send("ZRANK", names.parkedDue, "b"), null)
      assert.equal(yield* send("ZCOUNT", names.parkedDue, "-inf", "(1"), 0)
      assert.equal(yield* send("ZCOUNT", names.parkedDue, "-inf", "+inf"), 1)
    }))

  test("PTTL is -1 for a key without an expiry and -2 without a key", () =>
    Effect.gen(function*() {
      const { names } = yield* service
      assert.equal(yield* send("PTTL", names.stream), -1)
      assert.equal(yield* send("PTTL", names.lease), -2)
    }))
})
