/** The commands `lanes` of `redis-workers`, against a real server. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as Lanes from "../../src/Lanes.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Settings from "../../src/Settings.ts"
import { jsonOf, redisWorkers } from "../support/commandLine.ts"
import * as Server from "../support/redisServer.ts"

const Charge = Action.make("payment.charge", { payload: { customer: Schema.String } }).pipe(
  Action.lane(({ customer }) => customer, { concurrency: 1, backlog: { max: 9 } })
)

layer(Server.layer(), { excludeTestServices: true, timeout: 60_000 })("redis-workers lanes", (it) => {
  it.effect(
    "lists lanes and limits, hides keys unless they are asked for, and resumes a lane by its id or its key",
    () =>
      Effect.gen(function*() {
        const { cli, url } = yield* Server.RedisServer
        const run = (...args: ReadonlyArray<string>) => redisWorkers(url, ["lanes", ...args, "-s", "payment", "--json"])
        yield* cli("HSET", "nooble4:dev:payment:features", "parked", "1", "unique", "1", "lanes", "1")
        const services = Layer.mergeAll(IoRedis.layerOptions({ url }), QueueNaming.layer).pipe(
          Layer.provideMerge(Settings.layerOf({ serviceName: "payment" }))
        )
        yield* Effect.provide(
          Effect.gen(function*() {
            const client = yield* ActionClient.make()
            yield* client.sendMany(Charge, [{ customer: "ana" }, { customer: "ana" }, { customer: "eva" }])
            const lanes = yield* Lanes.make()
            yield* lanes.pause({ type: "payment.charge", key: "eva" }, "1 hour")
            yield* lanes.pause({ type: "payment.charge", key: "ana" }, "1 hour")
          }),
          services
        )
        const listed = yield* run("ls")
        const { lanes } = jsonOf(listed) as {
          readonly lanes: ReadonlyArray<{ readonly id: string; readonly held: number; readonly waiting: number }>
        }
        assert.deepStrictEqual(lanes.map(({ held, waiting }) => [held, waiting]), [[1, 1], [1, 0]])
        assert.notInclude(listed.stdout, "ana")
        assert.include((yield* run("ls", "--keys", "--stopped")).stdout, "\"ana\"")
        const rules = jsonOf(yield* run("rules")) as { readonly lanes: ReadonlyArray<object> }
        assert.deepInclude(rules.lanes[0], { type: "payment.charge", held: 2, waiting: 1, overridden: false })
        const byId = yield* run("resume", lanes[1]!.id)
        assert.strictEqual(byId.status, 0, byId.stderr)
        assert.strictEqual((yield* run("resume", "payment.charge", "--key", "ana")).status, 0)
        assert.strictEqual((yield* run("resume", "payment.charge", "--key", "ana")).status, 1)
        assert.strictEqual((yield* run("resume", "0123456789abcdef")).status, 1)
      }),
    60_000
  )
})
