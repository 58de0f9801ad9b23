/** The ACL file of the documentation, loaded by a real server: each role can do its work, and nothing else. */
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as DeadLetter from "../../src/DeadLetter.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import { RetryLater } from "../../src/HandlerError.ts"
import * as Inspector from "../../src/Inspector.ts"
import { timestampOf } from "../../src/internal/wire/timestamp.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as Lanes from "../../src/Lanes.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"

const acl = readFileSync(join(import.meta.dirname, "../../docs/redis.acl"), "utf8")
// The one user that tests need beside those of the file.
const everything = "user default on nopass ~* &* +@all"

const ServerLayer = Layer.unwrap(Effect.gen(function*() {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-redis-workers-acl-"))),
    (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
  )
  const file = join(directory, "redis.acl")
  writeFileSync(file, acl.replace(/^user default off$/m, everything))
  return Server.layer({ config: [`aclfile ${file}`] })
}))

const as = Effect.fnUntraced(
  function*(role: "producer" | "scheduler" | "worker" | "admin" | "operator", serviceName: string) {
    const { url } = yield* Server.RedisServer
    const SettingsLayer = Settings.layerOf({
      serviceName,
      claimIdle: "500 millis",
      block: "500 millis",
      redis: { url, username: role, password: `change-me-${role}` }
    })
    return Layer.merge(IoRedis.layer, QueueNaming.layer).pipe(Layer.provideMerge(SettingsLayer))
  }
)

const cli = (...args: ReadonlyArray<string>) => Effect.flatMap(Server.RedisServer, (server) => server.cli(...args))

/** What the server has refused since it started, without what goes without saying when it may not. */
const refused = Effect.map(cli("ACL", "LOG", "1000"), (log) =>
  (log as ReadonlyArray<ReadonlyArray<unknown>>)
    .map((entry) => `${String(entry[9])}: ${String(entry[3])} ${String(entry[7])}`)
    .filter((line) => !/ (config\|get|client\|setinfo)$/.test(line)))

const may = (user: string, ...command: ReadonlyArray<string>) =>
  Effect.map(cli("ACL", "DRYRUN", user, ...command), (reply) => reply === "OK")

const Greet = Action.make("user.greet", { payload: { name: Schema.String }, success: { text: Schema.String } })
const Stumble = Action.make("user.stumble", { success: { attempt: Schema.Int }, maxAttempts: 3 })
const Fail = Action.make("user.fail", { maxAttempts: 1 })
const Greeted = Action.make("user.greeted", { payload: { text: Schema.String } })
const Steps = Action.make("user.step", { payload: { key: Schema.String } }).pipe(
  Action.lane(({ key }) => key, { rate: { limit: 100, per: "1 second" }, backlog: "drop", total: { concurrency: 2 } })
)
const Actions = ActionGroup.make(Greet, Stumble, Fail, Greeted, Steps)

layer(ServerLayer, { excludeTestServices: true, timeout: 30_000 })("docs/redis.acl", (it) => {
  it.effect("lets producer, scheduler, worker and admin do all that they are for", () =>
    Effect.gen(function*() {
      const greeted: Array<string> = []
      let failing = true
      const stepping = Latch.makeUnsafe(false)
      const handlers = Actions.handlers({
        "user.greet": ({ name }) => Effect.succeed({ text: `hello ${name}` }),
        "user.stumble": (_, { attempt }) =>
          attempt === 1 ? Effect.fail(new RetryLater({ after: "20 millis" })) : Effect.succeed({ attempt }),
        "user.fail": () => failing ? Effect.fail(new RetryLater()) : Effect.void,
        "user.greeted": ({ text }) => Effect.sync(() => void greeted.push(text)),
        "user.step": () => Effect.asVoid(stepping.await)
      })
      const worker = yield* Effect.provide(Worker.start(handlers), yield* Layer.build(yield* as("worker", "user")))

      const producer = yield* as("producer", "orchestrator")
      const client = Context.get(
        yield* Layer.build(Layer.provide(ActionClient.layer, producer)),
        ActionClient.ActionClient
      )
      assert.deepStrictEqual(yield* client.request(Greet, { name: "ana" }), { text: "hello ana" })
      assert.deepStrictEqual(yield* client.request(Stumble, {}), { attempt: 2 })
      yield* client.sendMany(Greet, [{ name: "a" }, { name: "b" }])
      yield* client.send(Fail, {})
      const alone = Context.get(
        yield* Layer.build(Layer.provide(ActionClient.layerOptions({ inbox: "per-request" }), producer)),
        ActionClient.ActionClient
      )
      assert.deepStrictEqual(yield* alone.request(Greet, { name: "eva" }), { text: "hello eva" })

      const scheduling = Context.get(
        yield* Layer.build(Layer.provide(ActionClient.layer, yield* as("scheduler", "orchestrator"))),
        ActionClient.ActionClient
      )
      const later = { delay: "1 hour", unique: { key: "a", within: "1 hour" } } as const
      const parked = yield* scheduling.send(Greet, { name: "ana" }, later)
      assert.strictEqual((yield* scheduling.send(Greet, { name: "eva" }, later))._tag, "Duplicate")
      yield* scheduling.reschedule(parked, { delay: "2 hours" })
      yield* scheduling.remove(parked)
      const debounce = { key: "a", quiet: "10 millis", maxWait: "1 second" } as const
      yield* scheduling.send(Greeted, { text: "debounced" }, { debounce })
      yield* scheduling.send(Greeted, { text: "at once" }, { expiresIn: "1 hour" })
      yield* until("both ran", Effect.sync(() => greeted.length === 2))
      const step = yield* scheduling.send(Steps, { key: "a" })
      const dropped = yield* scheduling.send(Steps, { key: "a" })
      assert.strictEqual(dropped._tag === "Duplicate" ? dropped.first.actionId : "", step.actionId)
      yield* scheduling.send(Steps, { key: "b" })
      assert.strictEqual((yield* scheduling.send(Steps, { key: "c" }))._tag, "Waiting")
      stepping.openUnsafe()
      const held = "nooble4:dev:user:lanes:held"
      yield* until("all steps have ended", Effect.map(cli("ZCARD", held), (count) => count === 0))

      // A callback into the stream of another service, and one that came to a list of this one.
      yield* client.sendWithCallback(Greet, { name: "ida" }, {
        callback: { action: Greeted, to: "stream", service: "orchestrator" }
      })
      const orchestrator = "nooble4:dev:orchestrator:streams:main"
      yield* until("the callback is there", Effect.map(cli("XLEN", orchestrator), (length) => length === 1))
      const callback = DomainAction.make({
        action_id: crypto.randomUUID(),
        action_type: "user.greeted",
        timestamp: timestampOf(0),
        data: { text: "from a list" }
      })
      yield* cli("LPUSH", "nooble4:dev:user:callbacks:user_greeted:inbox", DomainAction.encode(callback))
      yield* until("the callback is handled", Effect.sync(() => greeted.length === 3))

      const deadLetters = Context.get(
        yield* Layer.build(Layer.provide(DeadLetter.layer, yield* as("admin", "user"))),
        DeadLetter.DeadLetter
      )
      yield* until("the dead letter is there", Effect.map(deadLetters.count(), (count) => count === 1))
      const { letters } = yield* deadLetters.list({ order: "newest" })
      assert.strictEqual((yield* deadLetters.inspect(letters[0]!.id)).reason, "exhausted")
      assert.strictEqual((yield* deadLetters.summary()).total, 1)
      assert.strictEqual((yield* deadLetters.dryRun(Actions)).passing, 1)
      yield* deadLetters.replay(letters[0]!.id)
      yield* until("it failed again", Effect.map(deadLetters.count(), (count) => count === 1))
      failing = false
      assert.strictEqual((yield* deadLetters.replayMany({})).replayed, 1)
      assert.strictEqual(yield* deadLetters.discardMany({}), 0)

      const inspector = Context.get(
        yield* Layer.build(Layer.provide(Inspector.layer, yield* as("operator", "user"))),
        Inspector.Inspector
      )
      const delayed = yield* scheduling.send(Greet, { name: "ana" }, { delay: "1 hour" })
      for (const state of ["waiting", "running", "retrying", "scheduled", "queued", "dead"] as const) {
        yield* inspector.list("user", state)
      }
      assert.strictEqual((yield* inspector.overview("user")).scheduled, 1)
      assert.deepStrictEqual(yield* inspector.schedules("user"), [])
      assert.strictEqual((yield* inspector.cancel(delayed)).from, "scheduled")
      yield* inspector.pause("user", { actionType: "user.greet" })
      assert.isTrue(yield* inspector.resume("user", { actionType: "user.greet" }))

      const lane = { type: "user.step", key: "d" } as const
      yield* inspector.pauseLane("user", lane, "1 hour")
      const queued = yield* scheduling.send(Steps, { key: "d" })
      assert.strictEqual(queued._tag, "Waiting")
      assert.lengthOf((yield* inspector.queued("user", lane)).entries, 1)
      const [status] = (yield* inspector.lanes("user", { stopped: true })).lanes
      assert.deepInclude(status, { state: "paused", waiting: 1, key: undefined })
      assert.strictEqual((yield* inspector.laneNames("user"))[0]?.waiting, 1)
      assert.strictEqual((yield* inspector.cancel(queued)).from, "queued")
      yield* inspector.limitLane("user", { type: "user.step" }, { concurrency: 2 })
      yield* inspector.limitLane("user", { type: "user.step" }, undefined)
      assert.isTrue(yield* inspector.resumeLane("user", { id: status!.id }))
      const lanes = Context.get(
        yield* Layer.build(Layer.provide(Lanes.layer, yield* as("operator", "user"))),
        Lanes.Lanes
      )
      assert.deepStrictEqual((yield* lanes.list()).lanes, [])

      yield* worker.drain
      const { types } = yield* inspector.statistics("user")
      const counted = types.find(({ actionType }) => actionType === "user.greet")?.total.outcomes
      assert.isAbove(counted?.succeeded ?? 0, 0, "the worker adds its last counts, and the operator reads them")
      assert.strictEqual((yield* worker.status).state, "stopped")
      assert.deepStrictEqual(yield* refused, [])
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([]))), 30_000)

  it.effect("lets each do what comes rarely", () =>
    Effect.gen(function*() {
      const stream = "nooble4:dev:user:streams:main"
      const dead = "nooble4:dev:user:streams:dead"
      const retries = "nooble4:dev:user:retries:user-group"
      const rare: ReadonlyArray<readonly [user: string, ...command: ReadonlyArray<string>]> = [
        ["worker", "XTRIM", stream, "MINID", "~", "0-0"],
        ["worker", "XTRIM", dead, "MAXLEN", "=", "1"],
        ["worker", "XRANGE", dead, "-", "+", "COUNT", "1"],
        ["worker", "XDEL", "nooble4:dev:orchestrator:streams:main", "1-0"],
        ["worker", "LPOP", "nooble4:dev:orchestrator:responses:inbox:1"],
        ["worker", "XGROUP", "DELCONSUMER", stream, "user-group", "gone"],
        ["worker", "ZSCORE", `${retries}:due`, "1-0"],
        ["worker", "SET", `${retries}:lease`, "1000"],
        ["worker", "CLIENT", "KILL", "ID", "1"],
        [
          "worker",
          "EXISTS",
          "nooble4:dev:user:callbacks:user_greeted:inbox",
          "nooble4:dev:user:callbacks:user_fail:inbox"
        ],
        ["worker", "EXISTS", `${retries}:due`],
        ["worker", "EXISTS", "nooble4:prod:user:streams:main"],
        ["producer", "DEL", "nooble4:dev:orchestrator:responses:inbox:1"],
        ["producer", "RPOP", "nooble4:dev:orchestrator:responses:inbox:1", "100"],
        ["admin", "LPUSH", "nooble4:dev:orchestrator:responses:inbox:1", "answer"]
      ]
      for (const [user, ...command] of rare) {
        assert.isTrue(yield* may(user, ...command), `${user}: ${command.join(" ")}`)
      }
    }))

  it.effect("refuses everything else", () =>
    Effect.gen(function*() {
      const others = "nooble4:dev:other:streams:main"
      for (const user of ["producer", "scheduler", "worker", "admin"]) {
        for (
          const command of [
            ["FLUSHALL"],
            ["KEYS", "*"],
            ["CONFIG", "GET", "*"],
            ["ACL", "LIST"],
            ["SET", "key", "value"],
            ["XRANGE", others, "-", "+"],
            ["XTRIM", others, "MAXLEN", "0"],
            ["XADD", "nooble4:prod:user:streams:main", "*", "data", "x"],
            ["XADD", "nooble4:dev:other:streams:dead", "*", "data", "x"]
          ]
        ) {
          assert.isFalse(yield* may(user, ...command), `${user}: ${command.join(" ")}`)
        }
      }
      const stream = "nooble4:dev:user:streams:main"
      for (
        const [user, ...command] of [
          ["producer", "XRANGE", stream, "-", "+"],
          ["producer", "XDEL", stream, "1-0"],
          ["producer", "DEL", stream],
          ["producer", "HSET", "nooble4:dev:user:parked:entries", "a", "b"],
          ["scheduler", "DEL", stream],
          ["scheduler", "HSET", "nooble4:dev:user:features", "parked", "1"],
          ["scheduler", "XRANGE", "nooble4:dev:user:streams:dead", "-", "+"],
          ["producer", "XRANGE", "nooble4:dev:user:streams:dead", "-", "+"],
          ["producer", "RPOP", "nooble4:dev:other:responses:inbox:1"],
          ["worker", "RPOP", "nooble4:dev:other:callbacks:other_done:inbox"],
          ["worker", "EXISTS", "nooble4:prod:other:streams:main"],
          ["worker", "XRANGE", "nooble4:prod:user:streams:main", "-", "+"],
          ["worker", "XREADGROUP", "GROUP", "other-group", "worker", "STREAMS", others, ">"],
          ["admin", "XREADGROUP", "GROUP", "user-group", "admin", "STREAMS", stream, ">"],
          ["admin", "XACK", stream, "user-group", "1-0"]
        ] as const
      ) {
        assert.isFalse(yield* may(user, ...command), `${user}: ${command.join(" ")}`)
      }
    }))

  it.effect("refuses the default user", () =>
    Effect.sync(() => {
      assert.match(acl, /^user default off$/m)
    }))
})
