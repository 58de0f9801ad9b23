/** What processes have counted: after a kill, after a stop, and as the command line shows it. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Inspector from "../../src/Inspector.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import { jsonOf, redisWorkers } from "../support/commandLine.ts"
import { bound, numbered, service, started } from "../support/jobs.ts"
import * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"

const keysOf = (value: unknown): ReadonlyArray<string> => Object.keys(value as object).sort()

layer(Server.layer(), { excludeTestServices: true, timeout: 60_000 })("Statistics of processes", (it) => {
  it.effect(
    "lose at most the last interval of a process that is killed, and nothing of one that stops",
    () =>
      Effect.gen(function*() {
        const server = yield* Server.RedisServer
        const jobs = service(server)
        const inspector = yield* Inspector.make().pipe(
          Effect.provide(
            yield* Layer.build(Layer.merge(
              IoRedis.layerOptions({ url: server.url }),
              QueueNaming.layerOf(QueueNaming.make({ prefix: "nooble4", environment: "dev" }))
            ))
          )
        )
        const succeeded = Effect.map(
          inspector.statistics(jobs.name),
          ({ types }) => types.find(({ actionType }) => actionType === "job.quick")?.total.outcomes.succeeded ?? 0
        )
        const settled = Effect.map(jobs.length, (length) => length === 0)

        yield* jobs.add("job.quick", numbered(0, 50))
        const killed = yield* jobs.start()
        yield* until("the first actions are counted", Effect.map(succeeded, (count) => count === 50), started)
        yield* jobs.add("job.quick", numbered(50, 80))
        yield* until("the other actions are settled", settled, started)
        yield* killed.signal("SIGKILL")
        yield* killed.ended()
        const left = yield* succeeded
        assert.isTrue(left >= 50 && left <= 80, `${left} of 80 are counted`)

        const stopped = yield* jobs.start()
        yield* jobs.add("job.quick", numbered(80, 90))
        yield* until("the last actions are settled", settled, started)
        yield* stopped.signal("SIGTERM")
        yield* stopped.ended()
        assert.strictEqual(yield* succeeded, left + 10)

        const json = jsonOf(yield* redisWorkers(server.url, ["stats", "-s", jobs.name, "--json"])) as {
          readonly overview: { readonly rates: object }
          readonly statistics: { readonly interval: number; readonly types: ReadonlyArray<Inspector.TypeStatistics> }
        }
        assert.deepStrictEqual(keysOf(json.overview.rates), ["deadLetters", "ended", "retried"])
        assert.deepStrictEqual(keysOf(json.statistics), ["asOf", "from", "interval", "service", "types", "until"])
        assert.strictEqual(json.statistics.interval, 60_000)
        const [type] = json.statistics.types
        assert.deepStrictEqual(keysOf(type), ["actionType", "points", "total"])
        assert.deepStrictEqual(keysOf(type!.points[0]), ["latency", "outcomes", "time"])
        assert.deepStrictEqual(type!.total.outcomes, {
          succeeded: left + 10,
          expired: 0,
          rejected: 0,
          retried: 0,
          deadLetters: 0,
          released: 0
        })
        assert.deepStrictEqual(keysOf(type!.total.latency), ["count", "p50", "p95", "p99"])
        assert.isNumber(type!.total.latency!.p99)

        const people = yield* redisWorkers(server.url, ["stats", "-s", jobs.name])
        assert.match(people.stdout, /^since \d{4}-\d\d-\d\d/m)
        assert.match(people.stdout, new RegExp(`^job\\.quick +${left + 10} +0 +0 .* (<1|\\d+) ms`, "m"))
      }),
    bound
  )
})
