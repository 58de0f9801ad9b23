/** Operations of the inspector by a Redis user that lacks a command: the error names it, and nothing is changed. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as Inspector from "../../src/Inspector.ts"
import { namesOf } from "../../src/internal/redis/names.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Schedules from "../../src/Schedules.ts"
import * as Settings from "../../src/Settings.ts"
import * as Server from "../support/redisServer.ts"

const Greet = Action.make("user.greet", { payload: { name: Schema.String } })
const Hourly = Schedules.every("hourly", { every: "1 hour", action: Greet, payload: { name: "tick" } })

const dependencies = (environment: string, user?: { readonly username: string; readonly password: string }) =>
  Layer.unwrap(Effect.map(Server.RedisServer, ({ url }) =>
    Layer.merge(IoRedis.layer, QueueNaming.layer).pipe(
      Layer.provideMerge(Settings.layerOf({ serviceName: "user", environment, redis: { url, ...user } }))
    )))

/** A service with an action in each state, and a schedule. */
const filled = Effect.gen(function*() {
  const environment = Server.uniquePrefix()
  const { cli } = yield* Server.RedisServer
  const context = yield* Layer.build(dependencies(environment))
  const names = namesOf(QueueNaming.make({ prefix: "nooble4", environment }), "user")
  const receipts = yield* Effect.gen(function*() {
    const { send } = yield* ActionClient.make()
    yield* cli("HSET", names.features, "parked", "1")
    const retrying = yield* send(Greet, { name: "a" })
    const waiting = yield* send(Greet, { name: "b" })
    const parked = yield* send(Greet, { name: "c" }, { delay: "1 hour" })
    const entryId = retrying._tag === "Sent" ? retrying.entryId : ""
    yield* cli("XGROUP", "CREATE", names.stream, names.group, "0")
    yield* cli("XREADGROUP", "GROUP", names.group, names.waitingConsumer, "COUNT", 1, "STREAMS", names.stream, ">")
    yield* cli("ZADD", names.retryDue, 1e12, entryId)
    const inspector = yield* Inspector.make()
    const letter = yield* inspector.bury(yield* send(Greet, { name: "d" }))
    yield* (yield* inspector.scheduling("user")).upsert(Hourly)
    yield* inspector.pause("user", { actionType: "user.greet" })
    return { retrying, waiting, parked, letter }
  }).pipe(Effect.provideContext(context))
  return { environment, names, ...receipts }
})

type World = Effect.Success<typeof filled>
type Service = Inspector.Inspector["Service"]
interface Case {
  readonly name: string
  /** The command that the user lacks, as an ACL names it. */
  readonly lacks: string
  readonly run: (inspector: Service, world: World) => Effect.Effect<unknown, { readonly _tag: string }>
}

const of = (name: string, lacks: string, run: Case["run"]): Case => ({ name, lacks, run })

const cases: ReadonlyArray<Case> = [
  of("services", "scan", (inspector) => inspector.services({ scan: true })),
  of("overview", "xinfo|groups", (inspector) => inspector.overview("user")),
  of("list waiting", "xrange", (inspector) => inspector.list("user", "waiting")),
  of("list running", "xinfo|groups", (inspector) => inspector.list("user", "running")),
  of("list retrying", "xpending", (inspector) => inspector.list("user", "retrying")),
  of("list scheduled", "hget", (inspector) => inspector.list("user", "scheduled")),
  of("list dead", "xrange", (inspector) => inspector.list("user", "dead")),
  of("consumers", "xinfo|consumers", (inspector) => inspector.consumers("user")),
  of("pauses", "hgetall", (inspector) => inspector.pauses("user")),
  of("schedules", "hkeys", (inspector) => inspector.schedules("user")),
  of("find", "xrange", (inspector, { waiting }) => inspector.find(waiting)),
  of("stale", "scan", (inspector) => inspector.stale("user", { scan: true })),
  of("dryRun", "xrange", (inspector) => inspector.dryRun("user")),
  of("pause", "hset", (inspector) => inspector.pause("user")),
  of("resume", "hdel", (inspector) => inspector.resume("user", { actionType: "user.greet" })),
  of("cancel", "xdel", (inspector, { waiting }) => inspector.cancel(waiting)),
  of("cancel of a parked action", "hdel", (inspector, { parked }) => inspector.cancel(parked)),
  of("retryNow", "zadd", (inspector, { parked }) => inspector.retryNow(parked)),
  of("reschedule", "zadd", (inspector, { parked }) => inspector.reschedule(parked, { delay: "2 hours" })),
  of("bury", "xadd", (inspector, { waiting }) => inspector.bury(waiting)),
  of("replay", "xadd", (inspector, { letter }) => inspector.replay("user", letter)),
  of("replayMany", "xadd", (inspector) => inspector.replayMany("user", {})),
  of("discard", "xdel", (inspector, { letter }) => inspector.discard("user", letter)),
  of("discardMany", "xdel", (inspector) => inspector.discardMany("user", {})),
  of("purge", "xdel", (inspector) => inspector.purge("user", { state: "waiting" })),
  of("trigger", "xadd", (inspector) => inspector.trigger("user", "hourly"))
]

// Comparing digests shows that nothing was changed.
layer(Server.layer({ config: ["enable-debug-command yes"] }), { excludeTestServices: true, timeout: 60_000 })(
  "A Redis user that lacks a command",
  (it) => {
    for (const { lacks, name, run } of cases) {
      it.effect(`is told that ${name} needs ${lacks}, and changes nothing`, () =>
        Effect.gen(function*() {
          const { cli } = yield* Server.RedisServer
          const world = yield* filled
          const username = `u${Server.uniquePrefix()}`
          yield* cli("ACL", "SETUSER", username, "on", ">secret", "~*", "&*", "+@all", `-${lacks}`)
          const context = yield* Layer.build(dependencies(world.environment, { username, password: "secret" }))
          const inspector = yield* Effect.provideContext(
            Inspector.make({ contracts: ActionGroup.make(Greet) }),
            context
          )
          const before = yield* cli("DEBUG", "DIGEST")
          const error = yield* Effect.flip(run(inspector, world))
          assert.strictEqual(error._tag, "NotPermitted")
          if (!(error instanceof Inspector.NotPermitted)) return
          assert.strictEqual(error.command, lacks, error.message)
          assert.include(error.message, `add +${lacks} to its ACL`)
          assert.notInclude(error.message, "secret")
          assert.strictEqual(yield* cli("DEBUG", "DIGEST"), before)
        }).pipe(Effect.scoped))
    }

    it.effect("or that may not touch the keys of a service is told so", () =>
      Effect.gen(function*() {
        const { cli } = yield* Server.RedisServer
        const { environment } = yield* filled
        const username = `u${Server.uniquePrefix()}`
        yield* cli("ACL", "SETUSER", username, "on", ">secret", "~other:*", "&*", "+@all")
        const context = yield* Layer.build(dependencies(environment, { username, password: "secret" }))
        const inspector = yield* Effect.provideContext(Inspector.make(), context)
        const error = yield* Effect.flip(inspector.overview("user"))
        assert.strictEqual(error._tag, "NotPermitted")
        assert.include(error.message, "access to the keys of the service")
      }).pipe(Effect.scoped))
  }
)
