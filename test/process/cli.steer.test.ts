/** `redis-workers` on one action, on schedules, and with contracts, against a real server. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { join } from "node:path"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as Inspector from "../../src/Inspector.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Schedules from "../../src/Schedules.ts"
import * as Settings from "../../src/Settings.ts"
import { Pay } from "../programs/cliContracts.ts"
import { jsonOf, redisWorkers } from "../support/commandLine.ts"
import { actionOf } from "../support/messages.ts"
import * as Server from "../support/redisServer.ts"

const contracts = join(import.meta.dirname, "../programs/cliContracts.ts")

const run = (...args: ReadonlyArray<string>) => Effect.flatMap(Server.RedisServer, ({ url }) => redisWorkers(url, args))

const keysOf = (value: unknown): ReadonlyArray<string> => Object.keys(value as object).sort()

const connected = (service: string) =>
  Layer.build(
    Layer.unwrap(Effect.map(Server.RedisServer, ({ url }) =>
      Layer.merge(IoRedis.layer, QueueNaming.layer).pipe(
        Layer.provideMerge(Settings.layerOf({ serviceName: service, redis: { url } }))
      )))
  )

const Tick = Action.make("ticks.tick")

layer(Server.layer(), { excludeTestServices: true, timeout: 60_000 })("the command line", (it) => {
  it.effect(
    "makes one action due, gives it another time, buries it, and says of one that ended that it did",
    () =>
      Effect.gen(function*() {
        const { cli } = yield* Server.RedisServer
        const context = yield* connected("one")
        const { send } = yield* Effect.provideContext(ActionClient.make(), context)
        yield* cli("HSET", "nooble4:dev:one:features", "parked", "1")
        const Work = Action.make("one.work")
        const parked = yield* send(Work, {}, { delay: "1 hour" })
        const of = (...args: ReadonlyArray<string>) => run(...args, "-s", "one", "--json")

        const dry = jsonOf(yield* of("reschedule", parked.actionId, "--in", "2h", "--dry-run"))
        assert.deepStrictEqual(dry, {
          dryRun: true,
          service: "one",
          state: "scheduled",
          id: parked.actionId,
          possible: true
        })
        const moved = jsonOf(yield* of("reschedule", parked.actionId, "--at", "2030-01-01T00:00:00Z"))
        assert.deepStrictEqual(moved, {
          dryRun: false,
          service: "one",
          id: parked.actionId,
          dueAt: "2030-01-01T00:00:00.000Z"
        })
        const neither = yield* of("reschedule", parked.actionId)
        assert.strictEqual(neither.status, 2)
        assert.include(neither.stderr, "--in")
        const soon = jsonOf(yield* of("retry-now", parked.actionId))
        assert.deepStrictEqual(soon, { dryRun: false, service: "one", state: "scheduled", id: parked.actionId })
        const inspector = yield* Effect.provideContext(Inspector.make(), context)
        const { entry } = yield* inspector.find(parked)
        assert.isBelow(entry?.state === "scheduled" ? entry.dueAt.epochMilliseconds : Infinity, Date.UTC(2029, 1))

        const buried = jsonOf(yield* of("bury", parked.actionId, "--reason", "wrong customer"))
        assert.deepStrictEqual(keysOf(buried), ["dryRun", "from", "id", "letter", "service"])
        const { letter } = buried as { readonly letter: string }
        const shown = yield* run("dead", "show", letter, "-s", "one")
        assert.include(shown.stdout, "Buried")
        assert.include(shown.stdout, "wrong customer")
        for (const verb of ["bury", "retry-now"]) {
          const again = yield* of(verb, parked.actionId)
          assert.strictEqual(again.status, 1)
          assert.include(again.stderr, "dead letter")
          const missing = yield* of(verb, "1-1")
          assert.strictEqual(missing.status, 1)
          assert.include(missing.stderr, "has ended")
        }
      }).pipe(Effect.scoped),
    90_000
  )

  it.effect("refuses a verb on an action that runs, with status 1, and says who has it", () =>
    Effect.gen(function*() {
      const { cli } = yield* Server.RedisServer
      const stream = "nooble4:dev:busy:streams:main"
      const id = String(yield* cli("XADD", stream, "*", "data", "{\"action_type\":\"busy.work\"}"))
      yield* cli("XGROUP", "CREATE", stream, "busy-group", "0")
      yield* cli("XREADGROUP", "GROUP", "busy-group", "worker-7", "STREAMS", stream, ">")
      for (const args of [["cancel", id, "--yes"], ["retry-now", id], ["bury", id]]) {
        const { status, stderr } = yield* run(...args, "-s", "busy")
        assert.strictEqual(status, 1, args[0])
        assert.include(stderr, "worker-7", args[0])
      }
      assert.strictEqual(yield* cli("XLEN", stream), 1)
    }), 60_000)

  it.effect("sends the answer that a dead letter keeps, and says so if it keeps none", () =>
    Effect.gen(function*() {
      const { cli } = yield* Server.RedisServer
      const list = "nooble4:dev:shop:responses:orders_pay:00000007-0000-4000-8000-000000000007"
      const data = actionOf("late.pay", 1, { data: {}, list })
      const write = (...notes: ReadonlyArray<string>) => {
        const entry = ["entry_id", "1-1", "group", "g", "consumer", "c", "time", "1", "fields", "1", "data", data]
        return cli("XADD", "nooble4:dev:late:streams:dead", "*", "action_type", "late.pay", ...notes, ...entry)
      }
      const kept = ["reason", "undeliverable", "undeliverable", "WRONGTYPE", "answer", "{\"success\":true}"]
      const [answered, plain] = [String(yield* write(...kept)), String(yield* write("reason", "rejected"))]
      const of = (id: string, ...more: ReadonlyArray<string>) => run("dead", "redeliver", id, "-s", "late", ...more)
      assert.deepStrictEqual(jsonOf(yield* of(answered, "--dry-run", "--json")), { dryRun: true, letter: answered })
      assert.strictEqual(yield* cli("LLEN", list), 0)
      assert.strictEqual((yield* of(answered)).status, 0)
      assert.strictEqual(yield* cli("LLEN", list), 1)
      const none = yield* of(plain)
      assert.strictEqual(none.status, 1)
      assert.include(none.stderr, "keeps no answer")
      assert.strictEqual((yield* of("1-1")).status, 1)
    }), 60_000)

  it.effect("lists, triggers, pauses, resumes and backfills schedules", () =>
    Effect.gen(function*() {
      const { cli } = yield* Server.RedisServer
      const context = yield* connected("ticks")
      const schedules = yield* Effect.provideContext(Schedules.make(), context)
      yield* schedules.upsert(Schedules.every("hourly", { every: "1 hour", action: Tick, payload: {} }))
      const of = (...args: ReadonlyArray<string>) => run("schedules", ...args, "-s", "ticks", "--json")
      const listed = jsonOf(yield* of("ls")) as { readonly schedules: ReadonlyArray<Record<string, unknown>> }
      assert.deepStrictEqual(keysOf(listed.schedules[0]), [
        "actionType",
        "fired",
        "last",
        "name",
        "next",
        "origin",
        "paused",
        "recurrence",
        "skipped",
        "version"
      ])
      const { slots } = jsonOf(yield* of("next", "hourly", "-n", "3")) as { readonly slots: ReadonlyArray<string> }
      assert.deepStrictEqual(slots.map((slot) => slot.slice(13)), [":00:00.000Z", ":00:00.000Z", ":00:00.000Z"])
      const paused = jsonOf(yield* of("pause", "hourly", "--reason", "holiday"))
      assert.deepStrictEqual(paused, { dryRun: false, schedule: "hourly", done: "paused", actions: [] })
      assert.include((yield* run("schedules", "ls", "-s", "ticks")).stdout, "holiday")
      assert.strictEqual((yield* of("resume", "hourly")).status, 0)

      const range = ["--from", "2026-01-01T00:00:00Z", "--until", "2026-01-01T02:00:00Z"]
      const dry = jsonOf(yield* of("backfill", "hourly", ...range, "--dry-run"))
      assert.deepInclude(dry, { dryRun: true, schedule: "hourly" })
      assert.strictEqual(yield* cli("EXISTS", "nooble4:dev:ticks:streams:main"), 0)
      const filled = jsonOf(yield* of("backfill", "hourly", ...range)) as { readonly actions: ReadonlyArray<string> }
      assert.strictEqual(yield* cli("XLEN", "nooble4:dev:ticks:streams:main"), filled.actions.length)
      assert.isAbove(filled.actions.length, 0)
      const triggered = jsonOf(yield* of("trigger", "hourly")) as { readonly actions: ReadonlyArray<string> }
      assert.match(triggered.actions[0] ?? "", /^[0-9a-f-]{36}$/)
      const missing = yield* of("trigger", "nothing")
      assert.strictEqual(missing.status, 1)
      assert.include(missing.stderr, "nothing")
    }).pipe(Effect.scoped), 120_000)

  it.effect("hides redacted fields, gives verdicts and checks payloads with contracts", () =>
    Effect.gen(function*() {
      const { cli } = yield* Server.RedisServer
      const context = yield* connected("orders")
      const { send } = yield* Effect.provideContext(ActionClient.make(), context)
      const receipt = yield* send(Pay, { card: Redacted.make("4111"), cents: 5 })
      const withThem = (...args: ReadonlyArray<string>) => run(...args, "-s", "orders", "--contracts", contracts)

      const list = yield* withThem("list", "waiting", "--payload", "--json")
      const { entries } = jsonOf(list) as {
        readonly entries: ReadonlyArray<{ readonly payload: { readonly redacted: boolean }; readonly verdict: object }>
      }
      assert.notInclude(list.stdout, "4111")
      assert.deepStrictEqual([entries[0]?.payload.redacted, entries[0]?.verdict], [true, { fits: true, issue: null }])
      const shown = yield* withThem("show", receipt.actionId, "--payload")
      assert.strictEqual(shown.status, 0, shown.stderr)
      assert.notInclude(shown.stdout, "4111")
      const without = yield* run("show", receipt.actionId, "-s", "orders", "--payload")
      assert.include(without.stdout, "4111")

      const wrong = yield* withThem("send", "orders.ship", "{\"to\":7}")
      assert.strictEqual(wrong.status, 2)
      assert.include(wrong.stderr, "to: Expected string")
      assert.strictEqual((yield* withThem("send", "orders.ship", "{\"to\":\"here\"}")).status, 0)
      assert.strictEqual(yield* cli("XLEN", "nooble4:dev:orders:streams:main"), 2)

      const letter = (data: string) =>
        cli(
          "XADD",
          "nooble4:dev:orders:streams:dead",
          "*",
          ..."action_type orders.ship reason invalid entry_id 1-1 fields 1 data".split(" "),
          data
        )
      const text = (to: unknown) =>
        `{"action_id":"00000000-0000-4000-8000-000000000001","action_type":"orders.ship",` +
        `"timestamp":"2026-06-29T04:03:00.123456Z","data":{"to":${JSON.stringify(to)}}}`
      yield* letter(text("here"))
      assert.strictEqual((yield* withThem("dead", "dry-run")).status, 0)
      yield* letter(text(7))
      const dry = yield* withThem("dead", "dry-run", "--json")
      assert.strictEqual(dry.status, 1)
      assert.deepInclude(JSON.parse(dry.stdout), { checked: 2, passing: 1 })
      const needed = yield* run("dead", "dry-run", "-s", "orders")
      assert.strictEqual(needed.status, 2)
      assert.include(needed.stderr, "--contracts")
    }).pipe(Effect.scoped), 120_000)
})
