import * as Effect from "effect/Effect"
import * as assert from "node:assert/strict"
import type { Names } from "../../../internal/redis/names.ts"
import { delayUntilEndOf } from "../../../internal/redis/pauses.ts"
import { record } from "../../../internal/redis/reply.ts"
import { decodePassedOver, passOver } from "../../../internal/scripts/passOver.ts"
import {
  decodeTake,
  takeDue,
  type TakeDueParams,
  takeIdle,
  type TakeIdleParams,
  takeOwn
} from "../../../internal/scripts/take.ts"
import { type Case, cases, entriesOf, errorOf, Place, send, type Test } from "../case.ts"
import { add, age, deliver, dueIn, evaluate, group, owners, read, recorded, stored, wait } from "./setup.ts"

const common = (names: Names) => ({
  ...names,
  consumer: "me",
  aloneConsumer: "alone",
  suspectAfter: 3,
  limit: 100,
  budget: 1_000_000
})

const due = (names: Names, change: Partial<TakeDueParams> = {}) =>
  Effect.map(evaluate(takeDue, { ...common(names), ...change }), decodeTake)

/** The rest of a reply where only retries wait. */
const nothingElse = (nextRetry: number): ReadonlyArray<unknown> => [nextRetry, -1, [0, 0, 0], [], []]

const idle = (names: Names, change: Partial<TakeIdleParams> = {}) =>
  Effect.map(
    evaluate(takeIdle, {
      ...common(names),
      claimIdle: 60_000,
      removeAfter: 3_600_000,
      cursor: "-",
      own: ["me", "alone"],
      ...change
    }),
    decodeTake
  )

/** Makes an entry wait for the end of the pause with a number. */
const hold = Effect.fnUntraced(function*(id: string, number: number) {
  const { names } = yield* Place
  yield* wait(id, 0, "0 1 0 ")
  yield* send("ZADD", names.retryDue, delayUntilEndOf(number) + 1, id)
})

const own = (names: Names, ids: ReadonlyArray<string>, budget = 1_000_000) =>
  Effect.map(
    evaluate(takeOwn, {
      stream: names.stream,
      retryRecords: names.retryRecords,
      group: names.group,
      consumer: "me",
      ids,
      budget
    }),
    decodeTake
  )

const ids = (entries: ReadonlyArray<{ readonly id: string }>) => entries.map((entry) => entry.id)

/** Consumers of the group by name. */
const consumers = Effect.gen(function*() {
  const { names } = yield* Place
  const rows = yield* send<ReadonlyArray<unknown>>("XINFO", "CONSUMERS", names.stream, names.group)
  return new Set(rows.map((row) => record(row).get("name")))
})

const takeDueCases = (test: Test): void => {
  test("takeDue takes due entries, oldest due time first, and says when the next one is due", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [first, second, third] = yield* deliver("another", 3)
      yield* wait(first!, -1_000, "1 1 0 ")
      yield* wait(second!, -2_000, "2 3 17 00-1-2-01")
      yield* wait(third!, 50_000, "1 1 0 ")
      const { lost, rest, suspects, taken } = yield* due(names)
      assert.deepEqual(taken, [
        {
          id: second,
          fields: ["data", "another 1"],
          deliveries: 2,
          record: { attempts: 2, outcomes: 3, unknownSince: 17, first: "00-1-2-01" },
          consumer: "me"
        },
        {
          id: first,
          fields: ["data", "another 0"],
          deliveries: 2,
          record: { attempts: 1, outcomes: 1, unknownSince: 0, first: "" },
          consumer: "me"
        }
      ])
      assert.deepEqual([lost, suspects], [[], 0])
      assert.ok(Number(rest[0]) > 40_000 && Number(rest[0]) <= 50_000, String(rest[0]))
      assert.deepEqual(yield* owners, [[first, "me", 2], [second, "me", 2], [third, names.waitingConsumer, 1]])
      assert.deepEqual(yield* send("ZRANGE", names.retryDue, 0, -1), [third])
      assert.deepEqual(yield* recorded(first!, second!, third!), [first, second, third])
    }))

  test("takeDue finds nothing where nothing waits", () =>
    Effect.gen(function*() {
      const names = yield* group
      yield* deliver("another", 2)
      assert.deepEqual(yield* due(names), { taken: [], lost: [], suspects: 0, rest: nothingElse(-1) })
    }))

  test("takeDue gives an entry to one taker", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [id] = yield* deliver("another", 1)
      yield* wait(id!, -1)
      assert.deepEqual(ids((yield* due(names)).taken), [id])
      assert.deepEqual((yield* due(names, { consumer: "you" })).taken, [])
      assert.deepEqual(yield* owners, [[id, "me", 2]])
    }))

  test("takeDue removes pauses that have ended, and makes due what waited for their end", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [first, second, third] = yield* deliver("another", 3)
      yield* hold(first!, 1)
      yield* hold(second!, 3)
      yield* hold(third!, 5)
      const lasting = ["b.b", "halted 3 why", "lane\0", "halted 7"]
      yield* send("HSET", names.paused, "a.a", "1 1 over", ...lasting)
      const { rest, taken } = yield* due(names)
      assert.deepEqual(ids(taken), [first, third])
      assert.deepEqual(rest[4], lasting)
      assert.deepEqual([...record(yield* send("HGETALL", names.paused))].flat(), lasting)
      assert.deepEqual(yield* owners, [[first, "me", 2], [second, names.waitingConsumer, 1], [third, "me", 2]])
      yield* send("DEL", names.paused)
      assert.deepEqual(ids((yield* due(names)).taken), [second])
    }))

  test("takeDue leaves what waits for the end of a pause as it is", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [id] = yield* deliver("another", 1)
      yield* hold(id!, 800)
      yield* send("HSET", names.paused, "a.a", "halted 800 ")
      assert.deepEqual(ids((yield* due(names)).taken), [])
      assert.equal(Number(yield* send("ZSCORE", names.retryDue, id!)), delayUntilEndOf(800) + 1)
      assert.deepEqual(yield* owners, [[id, names.waitingConsumer, 1]])
    }))

  test("takeDue takes no more than its limit", () =>
    Effect.gen(function*() {
      const names = yield* group
      const all = yield* deliver("another", 5)
      for (const [index, id] of all.entries()) yield* wait(id, index - 100)
      const { rest, taken } = yield* due(names, { limit: 2 })
      assert.deepEqual(ids(taken), all.slice(0, 2))
      assert.deepEqual(rest, nothingElse(0))
      assert.deepEqual(ids((yield* due(names, { limit: 100 })).taken), all.slice(2))
    }))

  test("takeDue stops when its budget is spent, and takes an entry that is larger alone", () =>
    Effect.gen(function*() {
      const names = yield* group
      const all = yield* deliver("another", 5)
      for (const [index, id] of all.entries()) yield* wait(id, index - 100)
      // "data" and "another 0": 13 bytes.
      const { rest, taken } = yield* due(names, { budget: 26 })
      assert.deepEqual(ids(taken), all.slice(0, 2))
      assert.deepEqual(rest, nothingElse(0))
      assert.deepEqual(ids((yield* due(names, { budget: 1 })).taken), all.slice(2, 3))
      assert.deepEqual(ids((yield* due(names)).taken), all.slice(3))
    }))

  test("takeDue forgets an entry that is not pending any more", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [id] = yield* deliver("another", 1)
      yield* wait(id!, -1, "1 1 0 ")
      yield* send("XACK", names.stream, names.group, id!)
      assert.deepEqual(yield* due(names), { taken: [], lost: [], suspects: 0, rest: nothingElse(-1) })
      assert.equal(yield* send("EXISTS", names.retryDue, names.retryRecords), 0)
    }))

  test("takeDue leaves an entry to the consumer that runs it", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [id] = yield* deliver("another", 1)
      yield* wait(id!, -1, "1 1 0 ")
      yield* age(id!, "another", {})
      assert.deepEqual((yield* due(names)).taken, [])
      assert.deepEqual(yield* owners, [[id, "another", 1]])
      assert.equal(yield* send("EXISTS", names.retryDue), 0)
    }))

  test("takeDue reports an entry that was deleted while it waited, and forgets it", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [first, second] = yield* deliver("another", 2)
      yield* wait(first!, -2, "1 1 0 ")
      yield* wait(second!, -1, "1 1 0 ")
      yield* send("XDEL", names.stream, first!)
      const { lost, taken } = yield* due(names)
      assert.deepEqual(lost, [first])
      assert.deepEqual(ids(taken), [second])
      assert.deepEqual(yield* owners, [[second, "me", 2]])
      assert.deepEqual(yield* recorded(first!, second!), [second])
    }))

  test("takeDue gives suspects to be run alone, one at a time, and puts the others off for a second", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [first, second, third] = yield* deliver("another", 3)
      for (const [index, id] of [first!, second!].entries()) {
        yield* age(id, "another", { deliveries: 2 })
        yield* wait(id, index - 100)
      }
      yield* wait(third!, -50)
      const { suspects, taken } = yield* due(names)
      assert.deepEqual(taken.map(({ consumer, deliveries, id }) => [id, consumer, deliveries]), [
        [first, "alone", 3],
        [third, "me", 2]
      ])
      assert.equal(suspects, 2)
      assert.deepEqual(yield* owners, [[first, "alone", 3], [second, names.waitingConsumer, 2], [third, "me", 2]])
      const left = yield* dueIn(second!)
      assert.ok(left !== undefined && left > 0 && left <= 1_000, String(left))
    }))

  test("takeDue takes no suspect while one is run", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [id] = yield* deliver("another", 1)
      yield* age(id!, "another", { deliveries: 2 })
      yield* wait(id!, -1)
      const { suspects, taken } = yield* due(names, { aloneConsumer: "" })
      assert.deepEqual([taken, suspects], [[], 1])
      assert.deepEqual(yield* owners, [[id, names.waitingConsumer, 2]])
    }))

  test("takeDue suspects nothing that had an outcome for each delivery", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [id] = yield* deliver("another", 1)
      yield* age(id!, "another", { deliveries: 40 })
      yield* wait(id!, -1, "5 40 0 ")
      const { suspects, taken } = yield* due(names)
      assert.deepEqual(taken.map(({ consumer, deliveries }) => [consumer, deliveries]), [["me", 41]])
      assert.equal(suspects, 0)
    }))

  test("takeDue fails when the group is missing and something is due", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [id] = yield* deliver("another", 1)
      yield* wait(id!, -1)
      assert.match(String((yield* errorOf(due({ ...names, group: "missing" }))).cause), /NOGROUP/)
    }))
}

const takeIdleCases = (test: Test): void => {
  test("takeIdle takes what other consumers left, and counts the delivery", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [first, second] = yield* deliver("dead", 2)
      const [mine] = yield* deliver("me", 1)
      yield* age(first!, "dead", { idle: 60_000 })
      yield* age(second!, "dead", { idle: 50_000 })
      yield* age(mine!, "me", { idle: 90_000 })
      yield* send("HSET", names.retryRecords, first!, "1 1 0 ")
      const { lost, rest, suspects, taken } = yield* idle(names)
      assert.deepEqual(taken, [{
        id: first,
        fields: ["data", "dead 0"],
        deliveries: 2,
        record: { attempts: 1, outcomes: 1, unknownSince: 0, first: "" },
        consumer: "me"
      }])
      assert.deepEqual([lost, suspects, rest], [[], 0, ["-", [], 0]])
      assert.deepEqual(yield* owners, [[first, "me", 2], [second, "dead", 1], [mine, "me", 1]])
    }))

  test("takeIdle gives an entry to one taker", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [id] = yield* deliver("dead", 1)
      yield* age(id!, "dead", { idle: 60_000 })
      assert.deepEqual(ids((yield* idle(names)).taken), [id])
      assert.deepEqual(ids((yield* idle(names, { consumer: "you", own: ["you"] })).taken), [])
    }))

  test("takeIdle holds to the longer lease of the group", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [id] = yield* deliver("dead", 1)
      yield* age(id!, "dead", { idle: 70_000 })
      yield* send("SET", names.lease, 120_000)
      assert.deepEqual((yield* idle(names)).taken, [])
      yield* send("SET", names.lease, 1_000)
      assert.deepEqual(ids((yield* idle(names)).taken), [id])
    }))

  test("takeIdle takes no more than its limit, over all consumers", () =>
    Effect.gen(function*() {
      const names = yield* group
      const left = [...yield* deliver("dead", 3), ...yield* deliver("gone", 3)]
      for (const [index, id] of left.entries()) yield* age(id, index < 3 ? "dead" : "gone", { idle: 60_000 })
      assert.equal((yield* idle(names, { limit: 2 })).taken.length, 2)
      assert.equal((yield* idle(names, { limit: 2 })).taken.length, 2)
      assert.equal((yield* idle(names, { limit: 5 })).taken.length, 2)
      assert.deepEqual((yield* owners).map(([, consumer]) => consumer), Array.from({ length: 6 }, () => "me"))
    }))

  test("takeIdle stops when its budget is spent, over all consumers, and says so", () =>
    Effect.gen(function*() {
      const names = yield* group
      const left = [...yield* deliver("dead", 2), ...yield* deliver("gone", 2)]
      for (const [index, id] of left.entries()) yield* age(id, index < 2 ? "dead" : "gone", { idle: 60_000 })
      // "data" and "dead 0": 10 bytes.
      const first = yield* idle(names, { budget: 21 })
      assert.deepEqual([first.taken.length, first.rest[2]], [3, 1])
      const second = yield* idle(names, { budget: 21 })
      assert.deepEqual([second.taken.length, second.rest[2]], [1, 0])
    }))

  test("takeIdle gives suspects to be run alone, one at a time", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [first, second, third] = yield* deliver("dead", 3)
      yield* age(first!, "dead", { idle: 60_000, deliveries: 2 })
      yield* age(second!, "dead", { idle: 60_000, deliveries: 5 })
      yield* age(third!, "dead", { idle: 60_000 })
      const { suspects, taken } = yield* idle(names)
      assert.deepEqual(taken.map(({ consumer, id }) => [id, consumer]), [[first, "alone"], [third, "me"]])
      assert.equal(suspects, 2)
      const busy = yield* idle(names, { aloneConsumer: "" })
      assert.deepEqual([busy.taken, busy.suspects], [[], 1])
      const next = yield* idle(names)
      assert.deepEqual(next.taken.map(({ consumer, deliveries, id }) => [id, consumer, deliveries]), [
        [second, "alone", 6]
      ])
    }))

  test("takeIdle cleans and reports entries that were deleted under the pending list", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [first, second] = yield* deliver("dead", 2)
      for (const id of [first!, second!]) {
        yield* age(id, "dead", { idle: 60_000 })
        yield* send("HSET", names.retryRecords, id, "1 1 0 ")
      }
      yield* send("XDEL", names.stream, second!)
      const { lost, taken } = yield* idle(names)
      assert.deepEqual(ids(taken), [first])
      assert.deepEqual(lost, [second])
      assert.deepEqual(yield* owners, [[first, "me", 2]])
      assert.deepEqual(yield* recorded(first!, second!), [first])
    }))

  test("takeIdle removes consumers that hold nothing and were idle for long, and no others", () =>
    Effect.gen(function*() {
      const names = yield* group
      for (const name of ["empty", "me", names.waitingConsumer]) {
        yield* send("XACK", names.stream, names.group, ...(yield* deliver(name, 1)))
      }
      const [id] = yield* deliver("holds", 1)
      const young = yield* idle(names)
      assert.deepEqual(young.rest, ["-", [], 0])
      const { rest } = yield* idle(names, { removeAfter: 0 })
      assert.deepEqual(rest, ["-", ["empty"], 0])
      assert.deepEqual(yield* consumers, new Set(["holds", "me", names.waitingConsumer]))
      assert.deepEqual(yield* owners, [[id, "holds", 1]])
    }))

  test("takeIdle leaves what waits for a retry, and makes due what waits without a due time", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [first, second, third] = yield* deliver("dead", 3)
      yield* wait(first!, 500_000)
      for (const id of [first!, second!]) yield* age(id, names.waitingConsumer, { idle: 60_000 })
      yield* age(third!, names.waitingConsumer, { idle: 10_000 })
      const { rest, taken } = yield* idle(names)
      assert.deepEqual([taken, rest], [[], ["-", [], 0]])
      assert.deepEqual((yield* owners).map(([, consumer]) => consumer), [1, 2, 3].map(() => names.waitingConsumer))
      assert.ok(((yield* dueIn(first!)) ?? 0) > 400_000)
      assert.ok(((yield* dueIn(second!)) ?? 1) <= 0)
      assert.equal(yield* dueIn(third!), undefined)
    }))

  test("takeIdle looks through what waits a part at a time", () =>
    Effect.gen(function*() {
      const names = yield* group
      const all = yield* deliver("dead", 5)
      for (const id of all) yield* age(id, names.waitingConsumer, { idle: 60_000 })
      let cursor = "-"
      const seen: Array<number> = []
      do {
        cursor = String((yield* idle(names, { limit: 2, cursor })).rest[0])
        seen.push(yield* send<number>("ZCARD", names.retryDue))
      } while (cursor !== "-" && seen.length < 10)
      assert.deepEqual(seen, [2, 4, 5])
    }))

  test("takeIdle fails when the group is missing", () =>
    Effect.gen(function*() {
      const names = yield* group
      assert.match(String((yield* errorOf(idle({ ...names, group: "missing" }))).cause), /NOGROUP/)
    }))
}

const takeOwnCases = (test: Test): void => {
  test("takeOwn takes this consumer's own entries and counts no delivery", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [first, second] = yield* deliver("me", 2)
      const [theirs] = yield* deliver("another", 1)
      const [fresh] = yield* add(["data", "new"])
      yield* age(second!, "me", { deliveries: 7 })
      yield* send("HSET", names.retryRecords, second!, "1 2 3 ")
      const { lost, suspects, taken } = yield* own(names, [first!, second!, theirs!, fresh!])
      assert.deepEqual(taken, [
        {
          id: first,
          fields: ["data", "me 0"],
          deliveries: 1,
          record: { attempts: 0, outcomes: 0, unknownSince: 0, first: "" },
          consumer: "me"
        },
        {
          id: second,
          fields: ["data", "me 1"],
          deliveries: 7,
          record: { attempts: 1, outcomes: 2, unknownSince: 3, first: "" },
          consumer: "me"
        }
      ])
      assert.deepEqual([lost, suspects], [[], 0])
      assert.deepEqual(yield* owners, [[first, "me", 1], [second, "me", 7], [theirs, "another", 1]])
    }))

  test("takeOwn stops when its budget is spent", () =>
    Effect.gen(function*() {
      const names = yield* group
      const all = yield* deliver("me", 3)
      // "data" and "me 0": 8 bytes.
      assert.deepEqual(ids((yield* own(names, all, 9)).taken), all.slice(0, 2))
    }))

  test("takeOwn resets the idle time of the entries that it takes", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [id] = yield* deliver("me", 1)
      yield* age(id!, "me", { idle: 60_000 })
      yield* own(names, [id!])
      const rows = yield* send<ReadonlyArray<unknown>>(
        "XPENDING",
        names.stream,
        names.group,
        "IDLE",
        30_000,
        "-",
        "+",
        10
      )
      assert.deepEqual(rows, [])
    }))

  test("takeOwn cleans and reports entries that were deleted under the pending list", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [first, second] = yield* deliver("me", 2)
      yield* send("HSET", names.retryRecords, first!, "1 1 0 ")
      yield* send("XDEL", names.stream, first!)
      const { lost, taken } = yield* own(names, [first!, second!])
      assert.deepEqual(lost, [first])
      assert.deepEqual(ids(taken), [second])
      assert.deepEqual(yield* owners, [[second, "me", 1]])
      assert.equal(yield* send("EXISTS", names.retryRecords), 0)
    }))

  test("takeOwn hands over all fields as they are", () =>
    Effect.gen(function*() {
      const names = yield* group
      const fields = ["data", "ß€😀", "", "", "data", "again"]
      const [id] = yield* add(fields)
      yield* read("me")
      assert.deepEqual((yield* own(names, [id!])).taken[0]?.fields, fields)
      assert.deepEqual(yield* entriesOf(names.stream), [[id, fields]])
      assert.deepEqual(yield* stored, [id])
    }))
}

const passOverCases = (test: Test): void => {
  const pass = (
    names: Names,
    id: string,
    change: { readonly counts?: boolean; readonly maxDeliveries?: number; readonly smallest?: number } = {}
  ) =>
    Effect.map(
      evaluate(passOver, {
        ...common(names),
        id,
        counts: true,
        maxDeliveries: 3,
        smallest: 4,
        delay: 60_000,
        ...change
      }),
      decodePassedOver
    )

  test("passOver counts a delivery and lets the entry wait until it is due", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [id] = yield* deliver("me", 1)
      yield* send("HSET", names.retryRecords, id!, "1 1 0 ")
      assert.deepEqual(yield* pass(names, id!), {
        spent: false,
        deliveries: 2,
        record: { attempts: 1, outcomes: 1, unknownSince: 0, first: "" },
        size: 8,
        replays: ""
      })
      assert.deepEqual(yield* owners, [[id, names.waitingConsumer, 2]])
      assert.equal(((yield* dueIn(id!)) ?? 0) > 0, true)
      assert.deepEqual(ids((yield* due(names)).taken), [])
    }))

  test("passOver counts nothing where the claim did", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [id] = yield* deliver("me", 1)
      yield* age(id!, "me", { deliveries: 3 })
      assert.equal((yield* pass(names, id!, { counts: false }))?.spent, false)
      assert.deepEqual(yield* owners, [[id, names.waitingConsumer, 3]])
    }))

  test("passOver leaves an entry that was delivered too often without an outcome with its consumer", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [id] = yield* add(["data", "twice", "replays", "2"])
      yield* read("me")
      yield* age(id!, "me", { deliveries: 5 })
      yield* send("HSET", names.retryRecords, id!, "1 3 0 ")
      assert.equal((yield* pass(names, id!, { counts: false }))?.spent, false)
      yield* age(id!, "me", { deliveries: 6 })
      const passed = yield* pass(names, id!)
      assert.deepEqual([passed?.spent, passed?.deliveries, passed?.replays], [true, 7, "2"])
      assert.deepEqual(yield* owners, [[id, "me", 7]])
    }))

  test("passOver leaves alone what is small, deleted, another's or not pending", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [small, deleted, settled] = yield* deliver("me", 3)
      const [theirs] = yield* deliver("another", 1)
      yield* send("XDEL", names.stream, deleted!)
      yield* send("XACK", names.stream, names.group, settled!)
      assert.equal(yield* pass(names, small!, { smallest: 9 }), undefined)
      for (const id of [deleted, settled, theirs]) assert.equal(yield* pass(names, id!), undefined)
      assert.deepEqual(yield* owners, [[small, "me", 1], [deleted, "me", 1], [theirs, "another", 1]])
      assert.equal(yield* send("EXISTS", names.retryDue), 0)
    }))
}

export const takeCases: ReadonlyArray<Case> = cases("scripts: take", (test) => {
  takeDueCases(test)
  takeIdleCases(test)
  takeOwnCases(test)
  passOverCases(test)
})
