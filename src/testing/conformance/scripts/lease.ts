import * as Effect from "effect/Effect"
import * as assert from "node:assert/strict"
import { record } from "../../../internal/redis/reply.ts"
import { decodeFirstRead, firstRead } from "../../../internal/scripts/firstRead.ts"
import { decodeRenewal, holdLease, release, renew } from "../../../internal/scripts/lease.ts"
import { type Case, cases, Place, send, serverTime } from "../case.ts"
import { add, age, deliver, dueIn, evaluate, group, owners, read as readNew } from "./setup.ts"

const hold = (claimIdle: number, timeToLive = 60_000) =>
  Effect.gen(function*() {
    const { names } = yield* Place
    return yield* evaluate(holdLease, { lease: names.lease, claimIdle, timeToLive })
  })

const renewed = (ids: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const { names } = yield* Place
    return decodeRenewal(yield* evaluate(renew, { stream: names.stream, group: names.group, consumer: "me", ids }))
  })

/** What a renewal of entries that are all held replies. */
const nothing = { lost: [], gone: [], ended: [], dropped: [], ahead: [], several: false }

const read = (ids: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const { names } = yield* Place
    const { group, retryRecords, stream } = names
    return decodeFirstRead(yield* evaluate(firstRead, { stream, retryRecords, group, consumer: "me", ids }))
  })

const released = (limit = 100) =>
  Effect.gen(function*() {
    const { names } = yield* Place
    return yield* evaluate(release, {
      stream: names.stream,
      retryDue: names.retryDue,
      retryRecords: names.retryRecords,
      group: names.group,
      consumer: "me",
      waitingConsumer: names.waitingConsumer,
      limit
    })
  })

/** Ids of entries that were idle for half a minute. */
const idleIds = Effect.gen(function*() {
  const { names } = yield* Place
  const rows = yield* send<ReadonlyArray<readonly [string]>>(
    "XPENDING",
    names.stream,
    names.group,
    "IDLE",
    30_000,
    "-",
    "+",
    100
  )
  return rows.map(([id]) => id)
})

const consumers = Effect.gen(function*() {
  const { names } = yield* Place
  const rows = yield* send<ReadonlyArray<unknown>>("XINFO", "CONSUMERS", names.stream, names.group)
  return rows.map((row) => record(row).get("name"))
})

export const leaseCases: ReadonlyArray<Case> = cases("scripts: lease", (test) => {
  test("holdLease keeps the longest lease, for a time", () =>
    Effect.gen(function*() {
      const { names, pass } = yield* Place
      assert.equal(yield* hold(60_000), 60_000)
      assert.equal(yield* hold(90_000, 500_000), 90_000)
      assert.equal(yield* hold(60_000, 1), 90_000)
      assert.equal(yield* send("GET", names.lease), "90000")
      yield* pass("10 millis")
      assert.equal(yield* send("GET", names.lease), "90000")
    }))

  test("holdLease forgets a lease that is not renewed", () =>
    Effect.gen(function*() {
      const { names, pass } = yield* Place
      assert.equal(yield* hold(60_000, 200), 60_000)
      yield* pass("250 millis")
      assert.equal(yield* send("GET", names.lease), null)
    }))

  test("holdLease makes way for a shorter lease once the longer one is forgotten", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      yield* hold(90_000)
      yield* send("DEL", names.lease)
      assert.equal(yield* hold(60_000), 60_000)
    }))

  test("holdLease replaces the longest lease by the next one while less than the next is left of it", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      yield* hold(90_000, 50_000)
      assert.equal(yield* hold(40_000), 90_000)
      assert.equal(yield* hold(60_000), 60_000)
      assert.equal(yield* send("GET", names.lease), "60000")
    }))

  test("renew resets idle times and counts no delivery", () =>
    Effect.gen(function*() {
      yield* group
      const [first, second] = yield* deliver("me", 2)
      yield* age(first!, "me", { idle: 60_000, deliveries: 3 })
      yield* age(second!, "me", { idle: 60_000 })
      assert.deepEqual(yield* renewed([first!]), nothing)
      assert.deepEqual(yield* owners, [[first, "me", 3], [second, "me", 1]])
      assert.deepEqual(yield* idleIds, [second])
    }))

  test("renew reports what is not this consumer's any more, and takes nothing back", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [kept, taken, done, deleted] = yield* deliver("me", 4)
      const [fresh] = yield* add(["data", "new"])
      yield* age(kept!, "me", { idle: 60_000 })
      yield* age(taken!, "another", { idle: 60_000 })
      yield* send("XACK", names.stream, names.group, done!, deleted!)
      yield* send("XDEL", names.stream, deleted!)
      assert.deepEqual(yield* renewed([kept!, taken!, done!, deleted!, fresh!]), {
        ...nothing,
        lost: [taken],
        ended: [deleted],
        dropped: [done],
        ahead: [fresh]
      })
      assert.deepEqual(yield* owners, [[kept, "me", 1], [taken, "another", 1]])
      assert.deepEqual(yield* idleIds, [taken])
    }))

  test("renew renews five hundred in one call", () =>
    Effect.gen(function*() {
      yield* group
      const ids = yield* deliver("me", 500)
      assert.deepEqual(yield* renewed(ids), nothing)
    }))

  test("renew reports what was deleted from the stream, apart from what was taken over", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [kept, deleted] = yield* deliver("me", 2)
      yield* send("XDEL", names.stream, deleted!)
      assert.deepEqual(yield* renewed([kept!, deleted!]), { ...nothing, gone: [deleted] })
    }))

  test("renew says whether settled entries stay in the stream for another group", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [done] = yield* deliver("me", 1)
      yield* send("XACK", names.stream, names.group, done!)
      yield* send("XGROUP", "CREATE", names.stream, "audit", "0")
      assert.deepEqual(yield* renewed([done!]), { ...nothing, dropped: [done], several: true })
    }))

  test("renew takes what a group that was made again has still to read for neither lost nor dropped", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const ids = yield* add(["data", "1"], ["data", "2"])
      yield* send("XGROUP", "CREATE", names.stream, names.group, "0")
      assert.deepEqual(yield* renewed(ids), { ...nothing, ahead: ids })
    }))

  test("firstRead records when entries were first read whose ids are ahead of the clock, and nothing of others", () =>
    Effect.gen(function*() {
      const names = yield* group
      const before = yield* serverTime
      const [past] = yield* deliver("me", 1)
      const ids = [1, 2, 3, 4].map((seq) => `${before + 600_000}-${seq}`)
      for (const id of ids) yield* send("XADD", names.stream, id, "data", "x")
      yield* readNew("me")
      const [fresh, recorded, known, theirs] = ids
      yield* send("HSET", names.retryRecords, recorded!, "2 3 17 00-1-2-01", known!, "1 1 0  5000")
      yield* age(theirs!, "another", {})
      const { now, times } = yield* read([past!, fresh!, recorded!, known!, theirs!])
      assert.ok(now >= before && now < before + 600_000)
      assert.deepEqual(times, [undefined, now, now, 5_000, undefined])
      const records = yield* Effect.forEach(
        [past!, fresh!, recorded!, known!, theirs!],
        (id) => send("HGET", names.retryRecords, id)
      )
      assert.deepEqual(records, [
        null,
        `0 0 0  ${now}`,
        `2 3 17 00-1-2-01 ${now}`,
        "1 1 0  5000",
        null
      ])
      // It stays what it was.
      assert.deepEqual((yield* read([fresh!, known!])).times, [now, 5_000])
    }))

  test("release gives back all that is pending here: due now, at no attempt", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [first, second] = yield* deliver("me", 2)
      const [theirs] = yield* deliver("another", 1)
      yield* send("HSET", names.retryRecords, second!, "2 3 17 00-1-2-01")
      assert.equal(yield* released(), 2)
      assert.deepEqual(yield* owners, [
        [first, names.waitingConsumer, 1],
        [second, names.waitingConsumer, 1],
        [theirs, "another", 1]
      ])
      assert.equal(yield* send("HGET", names.retryRecords, first!), "0 1 0 ")
      assert.equal(yield* send("HGET", names.retryRecords, second!), "2 4 17 00-1-2-01")
      for (const id of [first!, second!]) assert.ok(((yield* dueIn(id)) ?? 1) <= 0)
      assert.equal(yield* dueIn(theirs!), undefined)
    }))

  test("release works in parts, and removes the consumer once nothing is left", () =>
    Effect.gen(function*() {
      const names = yield* group
      yield* deliver("me", 3)
      assert.equal(yield* released(2), 2)
      assert.equal(yield* released(2), 1)
      assert.deepEqual(new Set(yield* consumers), new Set(["me", names.waitingConsumer]))
      assert.equal(yield* released(2), 0)
      assert.deepEqual(yield* consumers, [names.waitingConsumer])
      assert.equal(yield* released(2), 0)
    }))

  test("release forgets entries that were deleted under the pending list", () =>
    Effect.gen(function*() {
      const names = yield* group
      const [first, second] = yield* deliver("me", 2)
      yield* send("XDEL", names.stream, first!)
      let calls = 0
      while (Number(yield* released()) > 0 && calls < 10) calls++
      assert.deepEqual(yield* owners, [[second, names.waitingConsumer, 1]])
      assert.deepEqual(yield* send("ZRANGE", names.retryDue, 0, -1), [second])
    }))
})
