/**
 * Retention: what is done is deleted, what any group still needs is not, and memory of the server follows.
 *
 * `RETENTION_ENTRIES=1000000` runs the first test at the size that the guarantee is given for.
 */
import { assert, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as DomainAction from "../../src/DomainAction.ts"
import { RetryLater } from "../../src/HandlerError.ts"
import { type Names, namesOf } from "../../src/internal/redis/names.ts"
import * as trouble from "../../src/internal/redis/trouble.ts"
import { trim } from "../../src/internal/scripts/streams.ts"
import { trimming } from "../../src/internal/worker/upkeep/retention.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Redis from "../../src/Redis.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import { eventually, inMemory, onBoth, pendingOf, Place, send } from "../support/layers.ts"
import { describeOnServer } from "../support/place.ts"
import * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"

const textOf = (type: string) =>
  DomainAction.encode(DomainAction.make({
    action_id: "00000000-0000-4000-8000-000000000001",
    action_type: type,
    timestamp: "2025-06-29T04:03:00.123456Z",
    data: { note: "x".repeat(100) }
  }))

const lengthOf = (names: Names) => send<number>("XLEN", names.stream)

// -----------------------------------------------------------------------------
// one group
// -----------------------------------------------------------------------------

const entries = Number(process.env["RETENTION_ENTRIES"] ?? 100_000)

/** Adds many at the server, which is faster than sending them. */
const addMany = "for i = 1, ARGV[1] do redis.call('XADD', KEYS[1], '*', 'data', ARGV[2]) end"

describeOnServer("with one group", () => {
  it.live(
    `a retry that waits while ${entries} newer entries pass does not hold them back`,
    () =>
      Effect.gen(function*() {
        const server = yield* Server.start()
        const names = namesOf(QueueNaming.make({ prefix: "nooble4", environment: "dev" }), "user")
        const attempts: Array<number> = []
        let passed = 0
        const context = yield* Layer.build(
          Layer.mergeAll(IoRedis.layerOptions({ url: server.url }), QueueNaming.layer).pipe(
            Layer.provideMerge(Settings.layerOf({ serviceName: "user" }))
          )
        )
        const worker = yield* Worker.start({
          "user.pin": (_: DomainAction.DomainAction, { attempt }) =>
            Effect.suspend(() => {
              attempts.push(attempt)
              return attempt === 1 ? Effect.fail(new RetryLater({ after: "1 hour" })) : Effect.void
            }),
          "user.pass": () =>
            Effect.sync(() => {
              passed++
            })
        }, { block: "500 millis", consumers: 2 }).pipe(Effect.provideContext(context))
        const memory = Effect.map(
          server.cli("INFO", "memory"),
          (info) => Number(/used_memory:(\d+)/.exec(String(info))?.[1])
        )

        yield* server.cli("XADD", names.stream, "*", "data", textOf("user.pin"))
        yield* until("the old one waits", Effect.map(server.cli("ZCARD", names.retryDue), (count) => count === 1))
        const before = yield* memory
        const chunk = 5_000
        let longest = 0
        let most = 0
        for (let sent = chunk; sent <= entries; sent += chunk) {
          yield* server.cli("EVAL", addMany, 1, names.stream, chunk, textOf("user.pass"))
          // No more is sent than is done, so that what the server holds is what is kept, and no backlog.
          yield* until("the chunk is handled", Effect.sync(() => passed >= sent), 30_000)
          yield* until("and deleted", Effect.map(server.cli("XLEN", names.stream), (length) => Number(length) === 1))
          longest = Math.max(longest, Number(yield* server.cli("MEMORY", "USAGE", names.stream, "SAMPLES", 0)))
          most = Math.max(most, yield* memory)
        }
        // A block of entries and the pending list: some kilobytes, whatever passed.
        assert.isBelow(longest, 64 * 1024)
        assert.isBelow(most - before, 8 * 1024 * 1024)
        assert.deepStrictEqual(attempts, [1])

        const [pinned] = (yield* server.cli("ZRANGE", names.retryDue, 0, -1)) as [string]
        yield* server.cli("ZADD", names.retryDue, 0, pinned)
        yield* until("the old one is done", Effect.map(server.cli("XLEN", names.stream), (length) => length === 0))
        assert.deepStrictEqual(attempts, [1, 2])
        assert.strictEqual(passed, entries)
        assert.strictEqual((yield* worker.status).state, "running")
      }),
    Math.max(60_000, entries / 2)
  )
})

// -----------------------------------------------------------------------------
// several groups
// -----------------------------------------------------------------------------

/** Adds entries through whichever server, some in one call. */
const add = Effect.fnUntraced(function*(names: Names, count: number) {
  const ids: Array<string> = []
  for (let i = 0; i < count; i++) {
    ids.push(yield* send<string>("XADD", names.stream, "*", "data", textOf("user.pass")))
  }
  return ids
})

const startWorker = Effect.fnUntraced(function*(options: Worker.WorkerOptions = {}) {
  const handled: Array<string> = []
  yield* Worker.start({
    "user.pass": (_: DomainAction.DomainAction, { entryId }) =>
      Effect.sync(() => {
        handled.push(entryId)
      })
  }, { block: "500 millis", ...options })
  return handled
})

/** Another group reads so many, and acknowledges them. */
const readBy = Effect.fnUntraced(function*(names: Names, group: string, count: number, acknowledge = true) {
  const reply = yield* send<ReadonlyArray<readonly [string, ReadonlyArray<readonly [string]>]> | null>(
    "XREADGROUP",
    "GROUP",
    group,
    "reader",
    "COUNT",
    count,
    "STREAMS",
    names.stream,
    ">"
  )
  const ids = reply?.[0]?.[1].map(([id]) => id) ?? []
  if (acknowledge && ids.length > 0) yield* send("XACK", names.stream, group, ...ids)
  return ids
})

onBoth("with several groups", (test, kind) => {
  /** The worker looks at what can be trimmed. On a server, where nobody wants to wait for it, it is done in its place. */
  const look = Effect.fnUntraced(function*(retain = 0) {
    const { names, pass } = yield* Place
    if (kind === "memory") yield* pass("6 seconds")
    else yield* (yield* Redis.Redis).eval(trim.script)({ stream: names.stream, limit: 10_000, retain })
  })

  test("an entry is kept until each of them is done with it, and then trimmed", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      yield* send("XGROUP", "CREATE", names.stream, "audit", "0", "MKSTREAM")
      const handled = yield* startWorker()
      const ids = yield* add(names, 450)
      yield* eventually("all are handled here", Effect.sync(() => handled.length === 450))
      yield* look()
      assert.strictEqual(yield* lengthOf(names), 450)

      // It has read 300 and acknowledged 250 of them.
      yield* readBy(names, "audit", 250)
      yield* readBy(names, "audit", 50, false)
      yield* look()
      // Whole blocks of about a hundred are trimmed, and none with an entry that is still needed.
      const left = yield* lengthOf(names)
      assert.isAtLeast(left, 200)
      assert.isAtMost(left, 300)
      const pending = yield* pendingOf({ stream: names.stream, group: "audit" })
      const needed = [...pending.map(([id]) => id), ...(yield* readBy(names, "audit", 1000, false))]
      assert.deepStrictEqual(needed, ids.slice(250))

      yield* send("XACK", names.stream, "audit", ...needed)
      yield* look()
      assert.isAtMost(yield* lengthOf(names), 100)
      assert.strictEqual((yield* pendingOf(names)).length, 0)
    }), 60_000)

  test("a retry that waits keeps its entry, whatever the others are done with", () =>
    Effect.gen(function*() {
      const { names, pass } = yield* Place
      yield* send("XGROUP", "CREATE", names.stream, "audit", "0", "MKSTREAM")
      let runs = 0
      yield* Worker.start({
        "user.pass": () =>
          Effect.suspend(() => ++runs === 1 ? Effect.fail(new RetryLater({ after: "20 seconds" })) : Effect.void)
      }, { block: "500 millis" })
      const ids = yield* add(names, 250)
      yield* eventually("all had their turn", Effect.sync(() => runs === 250))
      yield* readBy(names, "audit", 1000)
      yield* look()
      assert.strictEqual(yield* lengthOf(names), 250)
      assert.deepStrictEqual((yield* pendingOf(names)).map(([id]) => id), ids.slice(0, 1))
      if (kind === "server") yield* send("ZADD", names.retryDue, 0, ids[0]!)
      else yield* pass("20 seconds")
      yield* eventually("it had its second turn", Effect.sync(() => runs === 251))
      yield* eventually("that is settled", Effect.map(pendingOf(names), (left) => left.length === 0))
      yield* look()
      assert.isAtMost(yield* lengthOf(names), 100)
    }), 60_000)

  test("a group that is removed holds nothing back any more", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      yield* send("XGROUP", "CREATE", names.stream, "dead", "0", "MKSTREAM")
      const handled = yield* startWorker()
      yield* add(names, 250)
      yield* eventually("all are handled here", Effect.sync(() => handled.length === 250))
      yield* look()
      assert.strictEqual(yield* lengthOf(names), 250)
      yield* send("XGROUP", "DESTROY", names.stream, "dead")
      yield* look()
      assert.isAtMost(yield* lengthOf(names), 100)
    }), 60_000)

  test("acknowledged entries stay for as long as `retain` says", () =>
    Effect.gen(function*() {
      const { names, pass } = yield* Place
      // On a server the worker's own look is far away, and the tests' own says how old an entry must be.
      const retain = kind === "memory" ? 8_000 : 600_000
      const handled = yield* startWorker({ retain })
      yield* add(names, 250)
      yield* eventually("all are handled", Effect.sync(() => handled.length === 250))
      yield* look(retain)
      assert.strictEqual(yield* lengthOf(names), 250)
      assert.strictEqual((yield* pendingOf(names)).length, 0)
      yield* pass(kind === "memory" ? retain : 50)
      yield* look(kind === "memory" ? retain : 10)
      assert.isAtMost(yield* lengthOf(names), 100)
    }), 60_000)
})

inMemory("the report", (test) => {
  test(
    "names the group that makes no progress, once, and not the one that lags and moves",
    () =>
      Effect.gen(function*() {
        const { logs, names, pass } = yield* Place
        yield* send("XGROUP", "CREATE", names.stream, "dead", "0", "MKSTREAM")
        yield* send("XGROUP", "CREATE", names.stream, "lagging", "0", "MKSTREAM")
        const handled = yield* startWorker()
        yield* add(names, 300)
        for (let minute = 0; minute < 9; minute++) {
          yield* readBy(names, "lagging", 10)
          yield* pass("1 minute")
        }
        assert.strictEqual(handled.length, 300)
        assert.strictEqual(yield* lengthOf(names), 300)
        const reports = logs.filter((line) => line.text.includes("has not moved past"))
        assert.deepStrictEqual(reports.map(({ level }) => level), ["Warn"])
        assert.match(reports[0]!.text, /^Group dead has not moved past 0-0 for 5 minutes: .*XGROUP DESTROY/)
        assert.strictEqual(reports[0]!.annotations["group"], "dead")

        // It comes back, and stands still again.
        yield* readBy(names, "dead", 10)
        yield* pass("7 minutes")
        const again = logs.filter((line) => line.text.startsWith("Group dead has not moved past"))
        assert.strictEqual(again.length, 2)
      }),
    60_000
  )

  test("says nothing of groups that have nothing to do", () =>
    Effect.gen(function*() {
      const { logs, names, pass } = yield* Place
      yield* send("XGROUP", "CREATE", names.stream, "audit", "0", "MKSTREAM")
      const handled = yield* startWorker()
      yield* add(names, 20)
      yield* eventually("all are handled", Effect.sync(() => handled.length === 20))
      yield* readBy(names, "audit", 20)
      yield* pass("7 minutes")
      assert.deepStrictEqual(logs.filter((line) => line.text.includes("has not moved past")), [])
    }), 60_000)

  test("does not advise to remove the own group, which a long handler holds", () =>
    Effect.gen(function*() {
      const { logs, names, pass } = yield* Place
      yield* send("XGROUP", "CREATE", names.stream, "audit", "0", "MKSTREAM")
      const done = yield* Latch.make()
      yield* Worker.start({ "user.pass": () => done.await }, { block: "500 millis" })
      yield* add(names, 3)
      yield* readBy(names, "audit", 3)
      yield* pass("10 minutes")
      const reports = logs.filter((line) => line.text.includes("has not moved past"))
      assert.strictEqual(reports.length, 1)
      assert.match(reports[0]!.text, /^Group user-group .*A handler has been running that long/)
      assert.notInclude(reports[0]!.text, "DESTROY")
      yield* done.open
    }), 60_000)
})

// -----------------------------------------------------------------------------
// at the pace of a busy stream
// -----------------------------------------------------------------------------

/** A clock a thousand times as fast as the real one, for what waits for nothing but time. */
const fast = Effect.map(Clock.Clock, (real): Clock.Clock => {
  const start = real.currentTimeMillisUnsafe()
  const now = () => start + (real.currentTimeMillisUnsafe() - start) * 1000
  return {
    currentTimeMillisUnsafe: now,
    currentTimeMillis: Effect.sync(now),
    currentTimeNanosUnsafe: () => BigInt(now()) * 1_000_000n,
    currentTimeNanos: Effect.sync(() => BigInt(now()) * 1_000_000n),
    monotonicTimeNanosUnsafe: () => real.monotonicTimeNanosUnsafe() * 1000n,
    monotonicTimeNanos: Effect.sync(() => real.monotonicTimeNanosUnsafe() * 1000n),
    sleep: (duration) => real.sleep(Duration.millis(Duration.toMillis(duration) / 1000))
  }
})

/** Entries that one group has acknowledged, and the other has read and acknowledged up to a point. */
const fill = `for i = 1, 60000 do redis.call('XADD', KEYS[1], '*', 'data', 'x') end
for _, group in ipairs({ 'one', 'two' }) do
  redis.call('XGROUP', 'CREATE', KEYS[1], group, '0')
  for i = 1, 60 do
    local ids = {}
    for _, entry in ipairs(redis.call('XREADGROUP', 'GROUP', group, 'c', 'COUNT', 1000, 'STREAMS', KEYS[1], '>')[1][2]) do
      ids[#ids + 1] = entry[1]
    end
    if group == 'one' or i < 50 then redis.call('XACK', KEYS[1], group, unpack(ids)) end
  end
end`

describeOnServer("the trimming of a busy stream", () => {
  it.live("goes on at once while there is more, and stops where a group does not move", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      const names = namesOf(QueueNaming.make({ prefix: "nooble4", environment: "dev" }), "user")
      yield* server.cli("EVAL", fill, 1, names.stream)
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        const clock = yield* fast
        yield* Effect.forkScoped(
          trimming({
            redis,
            names,
            retain: 0,
            trouble: trouble.make(),
            now: () => clock.currentTimeMillisUnsafe()
          }).pipe(Effect.provideService(Clock.Clock, clock))
        )
        const length = Effect.map(server.cli("XLEN", names.stream), Number)
        // 49,000 are done with; all of the 11,000 others are there.
        yield* until("it is trimmed", Effect.map(length, (left) => left <= 11_100))
        assert.isAtLeast(yield* length, 11_000)
        const calls = Effect.map(
          server.cli("INFO", "commandstats"),
          (info) => Number(/cmdstat_xtrim:calls=(\d+)/.exec(String(info))?.[1])
        )
        // A call for each 400 or so.
        assert.isAtMost(yield* calls, 140)
      }).pipe(Effect.provide(IoRedis.layerOptions({ url: server.url })))
    }))
})
