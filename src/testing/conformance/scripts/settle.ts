import * as Effect from "effect/Effect"
import * as assert from "node:assert/strict"
import type { Names } from "../../../internal/redis/names.ts"
import { maxFields } from "../../../internal/scripts/letter.ts"
import {
  decodeStatuses,
  settle,
  type SettleEntry,
  type SettleParams,
  type SettleTarget,
  targetOf
} from "../../../internal/scripts/settle.ts"
import type { PushTarget } from "../../../internal/wire/answerTarget.ts"
import {
  type Case,
  cases,
  elementsOf,
  entriesOf,
  errorOf,
  fieldsOf,
  key as keyOf,
  keys,
  Place,
  send,
  serverTime
} from "../case.ts"
import { add, age, deliver, dueIn, evaluate, group, owners, read, recorded, stored } from "./setup.ts"

type Change = Partial<Omit<SettleParams, "target"> & Pick<SettleTarget, "retain">>

const params = (names: Names, { retain = false, ...change }: Change): SettleParams => {
  const ids = [...change.acknowledged ?? [], ...(change.entries ?? []).map((entry) => entry.id)].sort(compareIds)
  return {
    target: targetOf(names, "me", retain),
    firstId: ids[0] ?? "-",
    lastId: ids.at(-1) ?? "+",
    acknowledged: [],
    entries: [],
    ...change
  }
}

const compareIds = (a: string, b: string): number => {
  const [left, right] = [a, b].map((id) => id.split("-").map(Number))
  return left![0]! - right![0]! || left![1]! - right![1]!
}

const settled = (names: Names, change: Change) =>
  Effect.map(evaluate(settle, params(names, change)), (reply) => Object.fromEntries(decodeStatuses(reply)))

const entry = (id: string, change: Partial<SettleEntry> = {}): SettleEntry => ({
  id,
  push: undefined,
  wait: undefined,
  dead: false,
  notes: [],
  ...change
})

const toList = (key: string, payload: string, timeToLive = 0): PushTarget => ({
  kind: "list",
  key,
  payload,
  timeToLive
})

const deadLetters = (names: Names) =>
  Effect.map(entriesOf(names.deadLetters), (rows) => rows.map(([, fields]) => fields))

/** The fields of the original entry, which follow the notes of a dead letter. */
const original = (letter: ReadonlyArray<string>): ReadonlyArray<string> => {
  const at = letter.indexOf("fields")
  return letter.slice(at + 2)
}

export const settleCases: ReadonlyArray<Case> = cases("scripts: settle", (test) => {
  test("settle acknowledges, and deletes with one group", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [first, second, third] = yield* deliver("me", 3)
      assert.deepEqual(yield* settled(names, { acknowledged: [first!, third!] }), {})
      assert.deepEqual(yield* owners, [[second, "me", 1]])
      assert.deepEqual(yield* stored, [second])
    }))

  test("settle takes a call that settles nothing", () =>
    Effect.gen(function*() {
      const names = yield* group
      const ids = yield* deliver("me", 2)
      assert.deepEqual(yield* settled(names, { firstId: "0-0", lastId: "0-0" }), {})
      assert.deepEqual(yield* stored, ids)
      assert.equal((yield* owners).length, 2)
    }))

  test("settle deletes nothing with several groups", () =>
    Effect.gen(function*() {
      const names = yield* group
      yield* send("XGROUP", "CREATE", names.stream, "audit", "0")
      const ids = yield* deliver("me", 2)
      yield* settled(names, { acknowledged: ids })
      assert.deepEqual(yield* owners, [])
      assert.deepEqual(yield* stored, ids)
    }))

  test("settle deletes nothing that is to be retained", () =>
    Effect.gen(function*() {
      const names = yield* group
      const ids = yield* deliver("me", 2)
      yield* settled(names, { acknowledged: ids, retain: true })
      assert.deepEqual(yield* owners, [])
      assert.deepEqual(yield* stored, ids)
    }))

  test("settle acknowledges a batch of a thousand", () =>
    Effect.gen(function*() {
      const names = yield* group
      const ids = yield* deliver("me", 1_000)
      yield* settled(names, { acknowledged: ids })
      assert.deepEqual(yield* owners, [])
      assert.deepEqual(yield* stored, [])
    }))

  test("settle finds the entries of a batch among many others that are pending", () =>
    Effect.gen(function*() {
      const names = yield* group
      const ids = yield* deliver("me", 60)
      const batch = [ids[0]!, ids[41]!, ids[59]!]
      assert.deepEqual(yield* settled(names, { acknowledged: batch }), {})
      const left = ids.filter((id) => !batch.includes(id))
      assert.deepEqual((yield* owners).map(([id]) => id), left)

      // Those that were delivered again meanwhile, too.
      const again = [left[0]!, left[40]!, left[56]!]
      for (const id of again) yield* age(id, "me", { deliveries: 2 })
      const list = yield* keyOf("list")
      const entries = again.map((id, index) => entry(id, { deliveries: index === 1 ? 1 : 2, push: toList(list, id) }))
      assert.deepEqual(yield* settled(names, { entries }), { 1: "lost" })
      assert.deepEqual(yield* elementsOf(list), [again[2], again[0]])
    }))

  test("settle pushes the answer and acknowledges", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [id] = yield* deliver("me", 1)
      const list = yield* keyOf("list")
      const entries = [entry(id!, { push: toList(list, "{\"answer\":\"á\"}", 60_000) })]
      assert.deepEqual(yield* settled(names, { entries }), {})
      assert.deepEqual(yield* elementsOf(list), ["{\"answer\":\"á\"}"])
      assert.deepEqual(yield* owners, [])
      assert.deepEqual(yield* stored, [])
      assert.deepEqual(yield* deadLetters(names), [])
    }))

  test("settle pushes to the left, so that a BRPOP takes the oldest answer first", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [first, second] = yield* deliver("me", 2)
      const list = yield* keyOf("list")
      yield* settled(names, {
        entries: [entry(first!, { push: toList(list, "1") }), entry(second!, { push: toList(list, "2") })]
      })
      assert.deepEqual(yield* send("RPOP", list), "1")
      assert.deepEqual(yield* send("RPOP", list), "2")
    }))

  test("settle leaves the expiry of a callback list alone", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [first, second] = yield* deliver("me", 2)
      const fresh = yield* keyOf("fresh")
      const old = yield* keyOf("old")
      yield* send("LPUSH", old, "before")
      yield* send("PEXPIRE", old, 200)
      yield* settled(names, {
        entries: [entry(first!, { push: toList(fresh, "1") }), entry(second!, { push: toList(old, "2") })]
      })
      yield* (yield* Place).pass("250 millis")
      assert.deepEqual(yield* elementsOf(fresh), ["1"])
      assert.deepEqual(yield* elementsOf(old), [])
    }))

  test("settle only ever puts off the expiry of a callback list", () =>
    Effect.gen(function*() {
      const names = yield* group
      const ids = yield* deliver("me", 5)
      const lists: ReadonlyArray<string> = yield* keys("fresh", "shorter", "longer", "endless")
      for (const list of lists.slice(1)) yield* send("LPUSH", list, "before")
      yield* send("PEXPIRE", lists[1]!, 60_000)
      yield* send("PEXPIRE", lists[2]!, 5_000_000)
      const push = (list: string): PushTarget => ({ ...toList(list, "callback", 500_000), atLeast: true })
      const entries = [...lists, lists[0]!].map((list, index) => entry(ids[index]!, { push: push(list) }))
      assert.deepEqual(yield* settled(names, { entries }), {})
      // The first is how long a list lives at least; with GT, a list without expiry lives longest.
      for (const [index, [least, beyond]] of [[400_000, 1], [400_000, 1], [4_000_000, 0], [9_000_000, 0]].entries()) {
        assert.equal(yield* send("PEXPIRE", lists[index]!, least!, "GT"), 0, `list ${index} lives for less`)
        assert.equal(yield* send("PEXPIRE", lists[index]!, 500_001, "GT"), beyond, `list ${index} lives for longer`)
      }
      const lengths = yield* Effect.forEach(lists, (list) => Effect.map(elementsOf(list), ({ length }) => length))
      assert.deepEqual(lengths, [2, 2, 2, 2])
    }))

  test("settle pushes answers of one call to one list, which lives as long as the last of them says", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [first, second, third, fourth, other] = yield* deliver("me", 5)
      const list = yield* keyOf("list")
      const brief = yield* keyOf("brief")
      const entries = [
        entry(first!, { push: toList(list, "1", 200) }),
        entry(other!, { push: toList(brief, "5", 200) }),
        entry(second!, { push: toList(list, "2", 200) }),
        entry(third!, { push: toList(list, "3", 500_000) }),
        entry(fourth!, { push: toList(list, "4") })
      ]
      assert.deepEqual(yield* settled(names, { entries }), {})
      yield* (yield* Place).pass("250 millis")
      assert.deepEqual(yield* elementsOf(list), ["4", "3", "2", "1"])
      assert.deepEqual(yield* elementsOf(brief), [])
      assert.deepEqual(yield* owners, [])
      assert.deepEqual(yield* stored, [])
    }))

  test("settle pushes nothing that is for a stream to a list, also when that took an answer of the same call", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [first, second] = yield* deliver("me", 2)
      const list = yield* keyOf("list")
      const entries = [
        entry(first!, { push: toList(list, "answer") }),
        entry(second!, { push: { kind: "stream", key: list, payload: "action", timeToLive: 0 } })
      ]
      assert.deepEqual(yield* settled(names, { entries }), { 1: "undeliverable" })
      assert.deepEqual(yield* elementsOf(list), ["answer"])
      assert.equal((yield* deadLetters(names)).length, 1)
      assert.deepEqual(yield* owners, [])
    }))

  test("settle acknowledges each of a call that mixes acknowledgements, answers, retries and dead letters", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [plain, answered, waits, dead, last] = yield* deliver("me", 5)
      const list = yield* keyOf("list")
      const entries = [
        entry(answered!, { push: toList(list, "first", 60_000) }),
        entry(waits!, { wait: { delay: 1_000, record: "r" } }),
        entry(dead!, { dead: true, push: toList(list, "error", 60_000), notes: ["reason", "test"] }),
        entry(last!, { push: toList(list, "last", 60_000) })
      ]
      assert.deepEqual(yield* settled(names, { acknowledged: [plain!], entries }), {})
      assert.deepEqual(yield* owners, [[waits, names.waitingConsumer, 1]])
      assert.deepEqual(yield* stored, [waits])
      assert.deepEqual(yield* elementsOf(list), ["last", "error", "first"])
      assert.equal((yield* deadLetters(names)).length, 1)
    }))

  test("settle leaves an answer without notes as it is when it cannot be pushed, and says so", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [first, second, third, fourth] = yield* deliver("me", 4)
      yield* age(third!, "me", { deliveries: 2 })
      const list = yield* keyOf("list")
      const wrong = yield* keyOf("wrong")
      yield* send("SET", wrong, "text")
      const stream = { kind: "stream", key: wrong, payload: "{}", timeToLive: 0 } as const
      const entries = [
        entry(first!, { push: toList(list, "1", 60_000), notes: undefined }),
        entry(second!, { push: toList(wrong, "2", 60_000), notes: undefined }),
        entry(third!, { deliveries: 2, push: toList(wrong, "3", 60_000), notes: undefined }),
        entry(fourth!, { push: stream, notes: undefined })
      ]
      assert.deepEqual(yield* settled(names, { entries }), { 1: "incomplete", 2: "incomplete", 3: "incomplete" })
      assert.deepEqual(yield* owners, [[second, "me", 1], [third, "me", 2], [fourth, "me", 1]])
      assert.deepEqual(yield* elementsOf(list), ["1"])
      assert.deepEqual(yield* deadLetters(names), [])

      const notes = ["reason", "test"]
      yield* settled(names, { entries: [entry(second!, { push: toList(wrong, "2", 60_000), notes })] })
      assert.deepEqual(yield* owners, [[third, "me", 2], [fourth, "me", 1]])
      assert.equal((yield* deadLetters(names)).length, 1)
    }))

  test("settle pushes an answer without notes as any other", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [first, second, third] = yield* deliver("me", 3)
      yield* age(third!, "me", { deliveries: 2 })
      const list = yield* keyOf("list")
      const entries = [
        entry(first!, { push: toList(list, "1", 60_000), notes: undefined }),
        entry(second!, { push: toList(list, "2"), notes: undefined }),
        entry(third!, { deliveries: 2, push: toList(list, "3", 60_000), notes: undefined })
      ]
      assert.deepEqual(yield* settled(names, { entries }), {})
      assert.deepEqual(yield* elementsOf(list), ["3", "2", "1"])
      assert.deepEqual(yield* owners, [])
    }))

  test("settle appends an answer to a stream", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [id] = yield* deliver("me", 1)
      const key = yield* keyOf("stream")
      yield* settled(names, { entries: [entry(id!, { push: { kind: "stream", key, payload: "{}", timeToLive: 0 } })] })
      assert.deepEqual((yield* entriesOf(key)).map(([, fields]) => fields), [["data", "{}"]])
      assert.deepEqual(yield* owners, [])
    }))

  test("settle writes nothing for entries of another consumer, whatever was decided", () =>
    Effect.gen(function*() {
      const names = yield* group
      const ids = yield* deliver("another", 4)
      const mine = yield* deliver("me", 1)
      const list = yield* keyOf("list")
      const [first, second, third, fourth] = ids
      assert.deepEqual(
        yield* settled(names, {
          acknowledged: [first!, mine[0]!],
          entries: [
            entry(second!, { push: toList(list, "1", 1_000) }),
            entry(third!, { dead: true, push: toList(list, "2", 1_000), notes: ["reason", "rejected"] }),
            entry(fourth!, { wait: { delay: 1_000, record: "1 1 0" }, push: toList(list, "3", 1_000) })
          ]
        }),
        { 0: "lost", 2: "lost", 3: "lost", 4: "lost" }
      )
      assert.deepEqual(yield* owners, ids.map((id) => [id, "another", 1]))
      assert.deepEqual(yield* stored, ids)
      assert.equal(yield* send("EXISTS", list, names.deadLetters, names.retryDue, names.retryRecords), 0)
    }))

  test("settle writes nothing for an entry that was never delivered", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [id] = yield* add(["data", "1"])
      assert.deepEqual(yield* settled(names, { entries: [entry(id!, { push: toList(yield* keyOf("list"), "1") })] }), {
        0: "ended"
      })
      assert.equal(yield* send("EXISTS", yield* keyOf("list")), 0)
    }))

  test("settle distinguishes an entry that left the pending list and stays in the stream from one that others own", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [acknowledged, deleted, theirs] = yield* deliver("me", 3)
      yield* send("XACK", names.stream, names.group, acknowledged!, deleted!)
      yield* send("XDEL", names.stream, deleted!)
      yield* age(theirs!, "another", {})
      const change = {
        acknowledged: [acknowledged!, deleted!, theirs!],
        entries: [
          entry(acknowledged!, { push: toList(yield* keyOf("list"), "1", 1_000) }),
          entry(acknowledged!, { dead: true, notes: ["reason", "rejected"] })
        ]
      }
      assert.deepEqual(yield* settled(names, change), {
        0: "dropped",
        1: "ended",
        2: "lost",
        3: "dropped",
        4: "dropped"
      })
      // Where settled entries stay, it may have been settled.
      assert.deepEqual(yield* settled(names, { acknowledged: [acknowledged!], retain: true }), { 0: "ended" })
      yield* send("XGROUP", "CREATE", names.stream, "audit", "0")
      assert.deepEqual(yield* settled(names, { acknowledged: [acknowledged!] }), { 0: "ended" })
      assert.equal(yield* send("EXISTS", yield* keyOf("list"), names.deadLetters), 0)
    }))

  test("settle distinguishes an entry that the group has still to read from one that it will not get again", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const ids = yield* add(["data", "1"], ["data", "2"])
      yield* send("XGROUP", "CREATE", names.stream, names.group, ids[0]!)
      assert.deepEqual(yield* settled(names, { acknowledged: ids }), { 0: "dropped", 1: "ended" })
    }))

  test("settle settles nothing twice when the call is sent again", () =>
    Effect.gen(function*() {
      const names = yield* group
      const ids = yield* deliver("me", 4)
      const list = yield* keyOf("list")
      const [first, second, third, fourth] = ids
      const change = {
        acknowledged: [first!],
        entries: [
          entry(second!, { push: toList(list, "1", 10_000) }),
          entry(third!, { dead: true, notes: ["reason", "rejected"], push: toList(list, "2", 10_000) }),
          entry(fourth!, { wait: { delay: 100_000, record: "1 1 0" } })
        ]
      }
      assert.deepEqual(yield* settled(names, change), {})
      const due = yield* send("ZSCORE", names.retryDue, fourth!)
      assert.deepEqual(yield* settled(names, change), { 0: "ended", 1: "ended", 2: "ended", 3: "lost" })
      assert.equal((yield* elementsOf(list)).length, 2)
      assert.equal(yield* send("XLEN", names.deadLetters), 1)
      assert.deepEqual(yield* owners, [[fourth, names.waitingConsumer, 1]])
      assert.equal(yield* send("ZSCORE", names.retryDue, fourth!), due)
    }))

  test("settle settles only the delivery that an outcome is the outcome of", () =>
    Effect.gen(function*() {
      const names = yield* group
      const ids = yield* deliver("me", 3)
      const [first, second, third] = ids
      for (const id of ids) yield* age(id, "me", { deliveries: 2 })
      const list = yield* keyOf("list")
      assert.deepEqual(
        yield* settled(names, {
          acknowledged: [first!],
          entries: [
            entry(second!, { deliveries: 1, push: toList(list, "late") }),
            entry(third!, { deliveries: 2, push: toList(list, "now") })
          ]
        }),
        { 0: "lost", 1: "lost" }
      )
      assert.deepEqual(yield* elementsOf(list), ["now"])
      assert.deepEqual(yield* owners, [[first, "me", 2], [second, "me", 2]])
    }))

  test("settle settles an entry that occurs twice in a batch once", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [first, second, third] = yield* deliver("me", 3)
      const list = yield* keyOf("list")
      assert.deepEqual(
        yield* settled(names, {
          entries: [
            entry(first!, { push: toList(list, "1") }),
            entry(first!, { push: toList(list, "2") }),
            entry(second!, { wait: { delay: 1, record: "1 1 0" } }),
            entry(second!, { dead: true }),
            entry(third!, { dead: true }),
            entry(third!, { push: toList(list, "3") })
          ]
        }),
        { 1: "ended", 3: "ended", 5: "ended" }
      )
      assert.deepEqual(yield* elementsOf(list), ["1"])
      assert.equal(yield* send("XLEN", names.deadLetters), 1)
      assert.deepEqual(yield* owners, [[second, names.waitingConsumer, 1]])
    }))

  for (const type of ["string", "hash", "zset", "stream"] as const) {
    test(`settle keeps the answer in a dead letter when its list holds a ${type}, which stays as it was`, () =>
      Effect.gen(function*() {
        const names = yield* group
        const [id] = yield* deliver("me", 1)
        const key = yield* keyOf("list")
        yield* ({
          string: send("SET", key, "1"),
          hash: send("HSET", key, "a", "1"),
          zset: send("ZADD", key, 1, "a"),
          stream: send("XADD", key, "*", "a", "1")
        })[type]
        assert.deepEqual(
          yield* settled(names, {
            entries: [entry(id!, { push: toList(key, "{\"answer\":1}", 1_000), notes: ["action_type", "user.create"] })]
          }),
          { 0: "undeliverable" }
        )
        assert.equal(yield* send("TYPE", key), type)
        const [letter] = yield* deadLetters(names)
        const notes = fieldsOf(letter!)
        assert.equal(notes["action_type"], "user.create")
        assert.equal(notes["reason"], "undeliverable")
        assert.equal(notes["undeliverable"], `WRONGTYPE the answer list holds a ${type}`)
        assert.equal(notes["answer"], "{\"answer\":1}")
        assert.deepEqual(original(letter!), ["data", "me 0"])
        assert.deepEqual(yield* owners, [])
        assert.deepEqual(yield* stored, [])
      }))
  }

  test("settle keeps the answer when its stream holds a list", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [id] = yield* deliver("me", 1)
      const key = yield* keyOf("list")
      yield* send("LPUSH", key, "1")
      const push = { kind: "stream", key, payload: "{}", timeToLive: 0 } as const
      assert.deepEqual(yield* settled(names, { entries: [entry(id!, { push })] }), { 0: "undeliverable" })
      assert.equal((yield* elementsOf(key)).length, 1)
      assert.equal(fieldsOf((yield* deadLetters(names))[0]!)["answer"], "{}")
      assert.deepEqual(yield* owners, [])
    }))

  test("settle keeps the answer when its stream has no ids left, and settles what comes after it", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [first, second] = yield* deliver("me", 2)
      const key = yield* keyOf("list")
      yield* send("XADD", key, "18446744073709551615-18446744073709551615", "data", "1")
      const push = { kind: "stream", key, payload: "{}", timeToLive: 0 } as const
      assert.deepEqual(yield* settled(names, { entries: [entry(first!, { push }), entry(second!, {})] }), {
        0: "undeliverable"
      })
      const notes = fieldsOf((yield* deadLetters(names))[0]!)
      assert.equal(notes["answer"], "{}")
      assert.match(String(notes["undeliverable"]), /exhausted the last possible ID/)
      assert.deepEqual(yield* owners, [])
    }))

  test("settle keeps the reason of a dead letter whose error response cannot be pushed", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [id] = yield* deliver("me", 1)
      const key = yield* keyOf("list")
      yield* send("SET", key, "1")
      const dead = entry(id!, { dead: true, push: toList(key, "error", 1_000), notes: ["reason", "poison"] })
      assert.deepEqual(yield* settled(names, { entries: [dead] }), { 0: "undeliverable" })
      const letters = yield* deadLetters(names)
      assert.equal(letters.length, 1)
      assert.equal(fieldsOf(letters[0]!)["reason"], "poison")
      assert.equal(letters[0]!.filter((field) => field === "reason").length, 1)
      assert.equal(fieldsOf(letters[0]!)["answer"], "error")
      assert.deepEqual(yield* owners, [])
    }))

  test("settle goes on with the others when one entry fails", () =>
    Effect.gen(function*() {
      const names = yield* group
      const ids = yield* deliver("me", 4)
      const [first, second, third, fourth] = ids
      const list = yield* keyOf("list")
      const bad = yield* keyOf("bad")
      yield* send("SET", bad, "1")
      yield* send("SET", names.deadLetters, "no stream")
      const statuses = yield* settled(names, {
        acknowledged: [fourth!],
        entries: [
          entry(first!, { push: toList(list, "1") }),
          entry(second!, { push: toList(bad, "2") }),
          entry(third!, { push: toList(list, "3") })
        ]
      })
      assert.deepEqual(yield* elementsOf(list), ["3", "1"])
      assert.deepEqual((yield* owners).map(([id]) => id), [second])
      assert.deepEqual(yield* stored, [second])
      assert.match(JSON.stringify(statuses[2]), /WRONGTYPE/)
      assert.equal(statuses[1], undefined)
      assert.equal(statuses[3], undefined)
    }))

  test("settle takes an answer back when the dead letter that goes with it cannot be written", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [first, second] = yield* deliver("me", 2)
      const list = yield* keyOf("list")
      const stream = yield* keyOf("stream")
      yield* send("LPUSH", list, "earlier")
      yield* send("SET", names.deadLetters, "no stream")
      const statuses = yield* settled(names, {
        entries: [
          entry(first!, { dead: true, push: toList(list, "error", 1_000) }),
          entry(second!, { dead: true, push: { kind: "stream", key: stream, payload: "{}", timeToLive: 0 } })
        ]
      })
      assert.match(JSON.stringify(statuses[0]), /WRONGTYPE/)
      assert.match(JSON.stringify(statuses[1]), /WRONGTYPE/)
      assert.deepEqual(yield* elementsOf(list), ["earlier"])
      assert.equal(yield* send("XLEN", stream), 0)
      assert.deepEqual(yield* owners, [[first, "me", 1], [second, "me", 1]])
    }))

  test("settle gives a time to live to a list that is created again after an answer was taken back", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [first, second] = yield* deliver("me", 2)
      const list = yield* keyOf("list")
      yield* send("SET", names.deadLetters, "no stream")
      const statuses = yield* settled(names, {
        entries: [
          entry(first!, { dead: true, push: toList(list, "error", 60_000) }),
          entry(second!, { push: toList(list, "answer", 200) })
        ]
      })
      assert.match(JSON.stringify(statuses[0]), /WRONGTYPE/)
      assert.equal(statuses[1], undefined)
      yield* (yield* Place).pass("250 millis")
      assert.deepEqual(yield* elementsOf(list), [])
    }))

  test("settle copies an entry unchanged into a dead letter, behind the notes", () =>
    Effect.gen(function*() {
      const names = yield* group
      const fields = ["data", "{\"a\":\"ß€😀\"}", "reason", "mine", "data", "again", "", "", "traceparent", "00-1-2-01"]
      const [id] = yield* add(fields)
      yield* read("me")
      const before = yield* serverTime
      const dead = entry(id!, { dead: true, notes: ["reason", "rejected", "message", "no"] })
      assert.deepEqual(yield* settled(names, { entries: [dead] }), {})
      const [letter] = yield* deadLetters(names)
      assert.deepEqual(letter!.slice(0, 4), ["reason", "rejected", "message", "no"])
      assert.deepEqual(original(letter!), fields)
      const notes = fieldsOf(letter!)
      assert.equal(notes["entry_id"], id)
      assert.equal(notes["group"], names.group)
      assert.equal(notes["consumer"], "me")
      assert.equal(notes["fields"], "5")
      const time = Number(notes["time"])
      assert.ok(time >= before && time <= before + 10_000, String(time))
      assert.deepEqual(yield* stored, [])
    }))

  for (const count of [maxFields / 2, maxFields / 2 + 1, 6_000]) {
    test(`settle copies an entry of ${count} fields into a dead letter`, () =>
      Effect.gen(function*() {
        const names = yield* group
        const fields = Array.from({ length: count }, (_, index) => [`n${index}`, `ä${index}`]).flat()
        const [id] = yield* add(fields)
        yield* read("me")
        assert.deepEqual(yield* settled(names, { entries: [entry(id!, { dead: true })] }), {})
        const [letter] = yield* deadLetters(names)
        const [name, packed = ""] = original(letter!)
        assert.equal(fieldsOf(letter!)["fields"], String(count))
        if (count > maxFields / 2) {
          assert.equal(name, "packed")
          assert.equal(packed, fields.map((field) => `${Buffer.byteLength(field)}:${field},`).join(""))
        } else {
          assert.deepEqual(original(letter!), fields)
        }
        assert.deepEqual(yield* owners, [])
      }))
  }

  test("settle acknowledges and reports an entry that was deleted under the pending list", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [first, second, third] = yield* deliver("me", 3)
      yield* send("XDEL", names.stream, first!, second!)
      assert.deepEqual(
        yield* settled(names, {
          entries: [
            entry(first!, { dead: true }),
            entry(second!, { wait: { delay: 1_000, record: "1 1 0" } }),
            entry(third!, { dead: true })
          ]
        }),
        { 0: "gone", 1: "gone" }
      )
      assert.deepEqual(yield* owners, [])
      assert.equal(yield* send("XLEN", names.deadLetters), 1)
      assert.equal(yield* send("EXISTS", names.retryDue, names.retryRecords), 0)
    }))

  test("settle leaves a waiting entry without an owner, with its record and due time, and counts no delivery", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [id] = yield* deliver("me", 1)
      const waiting = entry(id!, { wait: { delay: 90_000, record: "2 3 17" } })
      assert.deepEqual(yield* settled(names, { entries: [waiting] }), {})
      assert.deepEqual(yield* owners, [[id, names.waitingConsumer, 1]])
      assert.equal(yield* send("HGET", names.retryRecords, id!), "2 3 17")
      const due = yield* dueIn(id!)
      assert.ok(due !== undefined && due > 80_000 && due <= 90_000, String(due))
      assert.deepEqual(yield* stored, [id])
    }))

  test("settle answers a failure and lets the entry wait", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [first, second] = yield* deliver("me", 2)
      const list = yield* keyOf("list")
      const bad = yield* keyOf("bad")
      yield* send("SET", bad, "1")
      const wait = { delay: 1_000, record: "1 1 0" }
      assert.deepEqual(
        yield* settled(names, {
          entries: [
            entry(first!, { wait, push: toList(list, "error", 60_000) }),
            entry(second!, { wait, push: toList(bad, "error", 60_000) })
          ]
        }),
        { 1: "undeliverable" }
      )
      assert.deepEqual(yield* elementsOf(list), ["error"])
      assert.equal(yield* send("GET", bad), "1")
      assert.deepEqual(
        yield* owners,
        [[first, names.waitingConsumer, 1], [second, names.waitingConsumer, 1]]
      )
      assert.equal(yield* send("ZCARD", names.retryDue), 2)
      assert.equal(yield* send("EXISTS", names.deadLetters), 0)
    }))

  test("settle forgets what was recorded of an entry once it is acknowledged", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [first, second, third] = yield* deliver("me", 3)
      for (const id of [first!, second!, third!]) yield* send("HSET", names.retryRecords, id, "1 1 0")
      yield* settled(names, { acknowledged: [first!], entries: [entry(second!, { dead: true })] })
      assert.deepEqual(yield* recorded(first!, second!, third!), [third])
    }))

  test("settle fails as a whole when the group is missing", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [id] = yield* deliver("me", 1)
      const entries = [entry(id!, { push: toList(yield* keyOf("list"), "1") })]
      const error = yield* errorOf(settled({ ...names, group: "missing" }, { entries }))
      assert.match(String(error.cause), /NOGROUP/)
      assert.equal(yield* send("EXISTS", yield* keyOf("list")), 0)
    }))
})
