import * as Effect from "effect/Effect"
import * as assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { array, entries, streamEntries } from "../../../internal/redis/reply.ts"
import {
  adopt,
  declareRule,
  decodeHealed,
  heal,
  overrideRule,
  pauseLane,
  resumeLane,
  sendLaned,
  type SendLanedParams
} from "../../../internal/scripts/laneCalls.ts"
import { laneOf } from "../../../internal/scripts/laneKeys.ts"
import { findLane, listQueued, readLanes, readNames } from "../../../internal/scripts/laneReads.ts"
import { declareFeatures, decodeParked } from "../../../internal/scripts/park.ts"
import { settle, targetOf } from "../../../internal/scripts/settle.ts"
import { type Case, cases, Place, send } from "../case.ts"
import { evaluate, group, noTerms } from "./setup.ts"

const rule = "1 - - wait continue - - -"
const lane = laneOf("t:a.b", "k")

const supported = Effect.gen(function*() {
  const names = yield* group
  yield* evaluate(declareFeatures, { features: names.features, names: ["parked", "unique", "lanes"] })
  return names
})

const sent = Effect.fnUntraced(function*(ids: ReadonlyArray<string>, change: Partial<SendLanedParams> = {}) {
  const { names } = yield* Place
  const replies = decodeParked(
    yield* evaluate(sendLaned, {
      ...names,
      ...noTerms,
      when: "",
      rule,
      actions: ids.map((id) => ({ id, lane, text: `text of ${id}` })),
      ...change
    })
  )
  return typeof replies === "string" ? replies : replies.map((reply) => reply._tag).join(" ")
})

/** Reads everything as a consumer, and returns the ids. */
const read = Effect.gen(function*() {
  const { names } = yield* Place
  const reply = yield* send(
    "XREADGROUP",
    "GROUP",
    names.group,
    "me",
    "COUNT",
    100,
    "STREAMS",
    names.stream,
    ">"
  )
  return streamEntries(reply).map(([id]) => id)
})

const end = Effect.fnUntraced(function*(id: string, gaveUp = false) {
  const { names } = yield* Place
  yield* evaluate(settle, {
    target: targetOf(names, "me", false),
    firstId: id,
    lastId: id,
    acknowledged: [id],
    entries: [],
    leaving: [{ id, lane, gaveUp }]
  })
})

const counts = Effect.gen(function*() {
  const { names } = yield* Place
  return {
    held: Number(yield* send("ZLEXCOUNT", names.lanesHeld, `[${lane}\0`, `(${lane}\u0001`)),
    waiting: Number(yield* send("ZLEXCOUNT", names.lanesWaiting, `[${lane}\0`, `(${lane}\u0001`))
  }
})

export const laneCases: ReadonlyArray<Case> = cases("scripts: lanes", (test) => {
  test("sendLaned asks for the capability of a worker first, and writes nothing without it", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      yield* group
      assert.equal(yield* sent(["a"]), "parked")
      yield* evaluate(declareFeatures, { features: names.features, names: ["parked"] })
      assert.equal(yield* sent(["a"]), "lanes")
      assert.equal(yield* send("EXISTS", names.lanesHeld, names.lanesRules, names.parkedEntries), 0)
    }))

  test("sendLaned takes a place or waits, and settle lets the next in, in order", () =>
    Effect.gen(function*() {
      const names = yield* supported
      assert.equal(yield* sent(["a", "b", "c", "b"]), "Sent Waiting Waiting Duplicate")
      const order: Array<string> = []
      for (let round = 0; round < 3; round++) {
        const [id = ""] = yield* read
        const [entry] = yield* send<ReadonlyArray<readonly [string, ReadonlyArray<string>]>>(
          "XRANGE",
          names.stream,
          id,
          id
        )
        order.push(entry?.[1][1] ?? "")
        yield* end(id)
      }
      assert.deepEqual(order, ["text of a", "text of b", "text of c"])
      assert.equal(yield* send("EXISTS", names.lanesHeld, names.lanesWaiting, names.parkedEntries), 0)
    }))

  test("settle gives a place back once, however often it is called", () =>
    Effect.gen(function*() {
      yield* supported
      yield* sent(["a", "b", "c"])
      const [first = ""] = yield* read
      yield* end(first)
      yield* end(first)
      assert.deepEqual(yield* counts, { held: 1, waiting: 1 })
    }))

  test("adopt gives an entry a free place, and moves another behind with all its fields", () =>
    Effect.gen(function*() {
      const names = yield* supported
      const ids = [
        yield* send<string>("XADD", names.stream, "*", "data", "one"),
        yield* send<string>("XADD", names.stream, "*", "data", "two", "own", "\0 kept", "replays", "2")
      ]
      yield* read
      const adopted = ids.map((id) => ({ id, deliveries: 1, lane, rule, expires: "" }))
      const call = evaluate(adopt, { ...names, consumer: "me", retain: false, adopted })
      assert.deepEqual(yield* call, ["held", "moved"])
      assert.deepEqual(yield* call, ["held", "lost"])
      // A score is a text or a number, as the client has it.
      const scores = array(yield* send("ZMSCORE", names.lanesHeld, `${lane}\0${ids[0]}`, "other"))
      assert.deepEqual(scores.map((score) => score === null ? null : Number(score)), [0, null])
      yield* end(ids[0]!)
      const [next = ""] = yield* read
      const [entry] = entries(yield* send("XRANGE", names.stream, next, next))
      assert.deepEqual(entry?.[1], ["data", "two", "own", "\0 kept", "lane", lane, "replays", "2"])
    }))

  test("heal names void places, releases those that are confirmed, and lets the next in", () =>
    Effect.gen(function*() {
      const names = yield* supported
      yield* sent(["a", "b"])
      const look = Effect.fnUntraced(function*(confirmed: ReadonlyArray<string>) {
        return decodeHealed(yield* evaluate(heal, { ...names, lanesAfter: "", placesAfter: "", confirmed }))
      })
      assert.deepEqual((yield* look([])).void, [])
      const [first = ""] = yield* read
      assert.deepEqual((yield* look([`${lane}\0${first}`])).released, 0)
      yield* send("XACK", names.stream, names.group, first)
      yield* send("XDEL", names.stream, first)
      const seen = yield* look([])
      assert.deepEqual([...new Set(seen.void)], [`${lane}\0${first}`])
      const healed = yield* look(seen.void)
      assert.equal(healed.released, 1)
      assert.equal(healed.letIn, 1)
      assert.deepEqual(yield* counts, { held: 1, waiting: 0 })
    }))

  test("rules are those of the operator, then of the workers, then of the sender", () =>
    Effect.gen(function*() {
      const names = yield* supported
      assert.equal(yield* sent(["a", "b"], { rule: "2 - - wait continue - - -" }), "Sent Sent")
      const declare = (text: string) => evaluate(declareRule, { ...names, name: "t:a.b", rule: text })
      assert.equal(yield* declare("3 - - wait continue - - -"), null)
      assert.equal(yield* sent(["c", "d"]), "Sent Waiting")
      assert.equal(yield* declare(rule), "3 - - wait continue - - -")
      yield* evaluate(overrideRule, { ...names, name: "t:a.b", rule: "9 - - - - - - -" })
      assert.deepEqual(
        yield* send("HMGET", names.lanesRules, "declared:t:a.b", "override:t:a.b", "pause:t:a.b"),
        [`w ${rule}`, "o 9 - - - - - - -", null]
      )
      assert.equal(yield* sent(["e"]), "Waiting")
      assert.deepEqual(yield* counts, { held: 5, waiting: 0 })
      yield* evaluate(overrideRule, { ...names, name: "t:a.b", rule: "" })
      assert.equal(yield* sent(["f"]), "Waiting")
    }))

  test("a paused lane lets nothing in until it is resumed, and is listed", () =>
    Effect.gen(function*() {
      const names = yield* supported
      yield* evaluate(pauseLane, { ...names, lane, millis: 60_000 })
      assert.equal(yield* sent(["a"]), "Waiting")
      const list = Effect.map(
        evaluate(readLanes, { ...names, cursor: "", stopped: false, limit: 10 }),
        (reply) => array(reply)[2]
      )
      const [row] = array(yield* list)
      assert.deepEqual(array(row).slice(0, 3), [lane, 0, 1])
      assert.equal(yield* evaluate(resumeLane, { ...names, lane }), 1)
      assert.equal(yield* evaluate(resumeLane, { ...names, lane }), 0)
      assert.deepEqual(yield* counts, { held: 1, waiting: 0 })
    }))

  test("readLanes, readNames and listQueued show who holds, who waits and what is stopped, page by page", () =>
    Effect.gen(function*() {
      const names = yield* supported
      const others = ["l", "m"].map((key) => laneOf("t:a.b", key))
      yield* sent(["a", "b", "c"])
      yield* sent([], { actions: [{ id: "d", lane: others[0]!, text: "text of d" }] })
      yield* evaluate(pauseLane, { ...names, lane: others[1]!, millis: 60_000 })
      const page = Effect.fnUntraced(function*(cursor: string, stopped: boolean, limit: number) {
        const [, next, rows] = array(yield* evaluate(readLanes, { ...names, cursor, stopped, limit }))
        return { next: String(next), rows: array(rows).map((row) => array(row).slice(0, 3)) }
      })
      const first = yield* page("", false, 2)
      assert.deepEqual(first.rows, [[lane, 1, 2], [others[0], 1, 0]])
      assert.deepEqual(yield* page(first.next, false, 2), { next: "", rows: [[others[1], 0, 0]] })
      assert.deepEqual(yield* page("", true, 2), { next: "", rows: [[others[1], 0, 0]] })
      assert.deepEqual(yield* evaluate(readNames, names), [1, [["t:a.b", `s ${rule}`, "", 2, 2]]])
      const queue = Effect.fnUntraced(function*(of: string, cursor: number, limit: number) {
        const [rows, next] = array(yield* evaluate(listQueued, { ...names, lane: of, cursor, limit, head: 4 }))
        return { next, rows: array(rows).map((row) => array(row).slice(0, 4)) }
      })
      assert.deepEqual(yield* queue(lane, 0, 1), { next: 1, rows: [["b", 24, "text", 9]] })
      assert.deepEqual(yield* queue(lane, 1, 9), { next: "", rows: [["c", 24, "text", 9]] })
      assert.deepEqual(yield* queue(others[0]!, 0, 9), { next: "", rows: [] })
      assert.equal((yield* queue("", 0, 9)).rows.length, 2)
    }))

  test("findLane finds a lane by the beginning of the SHA-1 of its name, step by step", () =>
    Effect.gen(function*() {
      const names = yield* supported
      yield* sent(["a", "b"])
      const id = createHash("sha1").update(lane).digest("hex").slice(0, 16)
      assert.deepEqual(yield* evaluate(findLane, { ...names, id, cursor: "", limit: 400 }), [lane, ""])
      assert.deepEqual(yield* evaluate(findLane, { ...names, id: "00", cursor: "", limit: 400 }), ["", ""])
      assert.deepEqual(yield* evaluate(findLane, { ...names, id: "00", cursor: "", limit: 2 }), ["", "2.1"])
    }))

  test("limits of all keys let the lanes that wait for them take turns", () =>
    Effect.gen(function*() {
      const names = yield* supported
      const all = "1 - - wait continue 1 - -"
      const other = laneOf("t:a.b", "l")
      yield* sent(["a", "b"], { rule: all })
      assert.equal(yield* sent([], { rule: all, actions: [{ id: "c", lane: other, text: "text of c" }] }), "Waiting")
      assert.equal(yield* send("HSETNX", names.parkedEntries, `all\0${other}`, ""), 0)
      assert.ok(Number(yield* send("INCR", names.lanesSequence)) > 1)
      const [first = ""] = yield* read
      yield* end(first)
      const [next = ""] = yield* read
      const [entry] = entries(yield* send("XRANGE", names.stream, next, next))
      assert.equal(entry?.[1][1], "text of c")
    }))
})
