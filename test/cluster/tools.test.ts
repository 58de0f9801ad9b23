/** The inspector, the command line and the dashboard on a cluster whose nodes have a service each. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import { execFileSync } from "node:child_process"
import { createServer } from "node:http"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as Dashboard from "../../src/Dashboard.ts"
import * as Inspector from "../../src/Inspector.ts"
import { nowAt } from "../../src/internal/redis/serverClock.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Redis from "../../src/Redis.ts"
import * as Schedules from "../../src/Schedules.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import * as Cluster from "../support/cluster.ts"
import { jsonOf, redisWorkers } from "../support/commandLine.ts"
import * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"

const streamOf = (service: string) => `{nooble4:dev:${service}}:streams:main`

/** A service on each node, in the order of the nodes. */
const onePerNode = Effect.gen(function*() {
  const cluster = yield* Cluster.RedisCluster
  const found = new Map<number, string>()
  for (const service of ["user", "mail", "shop", "order", "search", "billing", "report", "audit", "stock", "price"]) {
    const { port } = yield* cluster.ownerOf(streamOf(service))
    if (!found.has(port)) found.set(port, service)
  }
  assert.strictEqual(found.size, 3, "the names of the test are on all nodes")
  return cluster.nodes.map(({ port }) => found.get(port)!)
})

const UserDo = Action.make("user.do", {
  payload: { fate: Schema.String },
  success: { by: Schema.String },
  maxAttempts: 1
})

const doOf = (service: string): typeof UserDo =>
  // SAFETY: it differs in its name only.
  Action.make(`${service}.do`, {
    payload: { fate: Schema.String },
    success: { by: Schema.String },
    maxAttempts: 1
  }) as unknown as typeof UserDo

/** The services, each with a worker, a schedule, an action that was handled, a dead letter and an action that is due later. */
class World extends Context.Service<World, {
  readonly services: ReadonlyArray<string>
  /** Fails what is to fail; off for what is replayed. */
  readonly fails: { on: boolean }
}>()("effect-redis-workers/test/cluster/World") {}

const ConnectedLayer = Layer.unwrap(
  Effect.map(
    Cluster.RedisCluster,
    ({ urls }) =>
      Layer.merge(QueueNaming.layerCluster, IoRedis.layerCluster({ nodes: urls })).pipe(
        Layer.provideMerge(Settings.layerOf({ serviceName: "operator" }))
      )
  )
)

const WorldLayer = Layer.effect(
  World,
  Effect.gen(function*() {
    const services = yield* onePerNode
    const fails = { on: true }
    const client = yield* ActionClient.make()
    for (const service of services) {
      const action = doOf(service)
      const handlers = ActionGroup.make(action).handlers({
        [`${service}.do`]: ({ fate }: { readonly fate: string }) =>
          fate === "fails" && fails.on ? Effect.die(new Error("no such table")) : Effect.succeed({ by: service })
        // SAFETY: the one handler that the group has.
      } as { "user.do": (payload: { readonly fate: string }) => Effect.Effect<{ readonly by: string }> })
      yield* Worker.start(handlers, {
        service,
        block: "200 millis",
        schedules: [Schedules.every("daily", { every: "1 day", action, payload: { fate: "works" } })]
      })
      yield* client.send(action, { fate: "fails" })
      yield* client.send(action, { fate: "later" }, { delay: "1 hour" })
      assert.deepStrictEqual(yield* client.request(action, { fate: "works" }), { by: service })
    }
    return { services, fails }
  }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
).pipe(Layer.provideMerge(ConnectedLayer), Layer.provideMerge(Cluster.layer({ replicas: false })))

const run = (...args: ReadonlyArray<string>) =>
  Effect.flatMap(
    Cluster.RedisCluster,
    ({ urls }) => redisWorkers(urls[0]!, args, { env: { REDIS_CLUSTER: "true", QUEUE_HASH_TAGS: "true" } })
  )

const json = <A>(...args: ReadonlyArray<string>) =>
  // SAFETY: the shape that docs/command-line.md promises.
  Effect.map(run(...args, "--json"), (result) => jsonOf(result) as A)

layer(WorldLayer, { excludeTestServices: true, timeout: 60_000 })(
  "on a cluster whose nodes have a service each",
  (it) => {
    it.effect("the inspector finds all services, and says of each what is in it", () =>
      Effect.gen(function*() {
        const { services } = yield* World
        yield* Effect.gen(function*() {
          const inspector = yield* Inspector.Inspector
          const found = yield* inspector.services({ scan: true })
          assert.isTrue(found.complete)
          assert.deepStrictEqual(found.services.map(({ service }) => service), [...services].sort())
          for (const service of services) {
            yield* until(
              `the letter of ${service} is there`,
              Effect.map(inspector.overview(service), ({ deadLetters }) => deadLetters === 1)
            )
            const overview = yield* inspector.overview(service)
            assert.deepInclude(overview, { scheduled: 1, deadLetters: 1, lag: 0 })
            const page = yield* inspector.list(service, "scheduled")
            assert.lengthOf(page.entries, 1)
          }
        }).pipe(Effect.provide(Inspector.layer))
      }))

    it.effect("a purge by age goes by the clock of the node that has the service", () =>
      Effect.gen(function*() {
        const { services } = yield* World
        const { nodes } = yield* Cluster.RedisCluster
        const redis = yield* Redis.Redis
        for (const [index, service] of services.entries()) {
          for (const node of nodes) yield* node.cli("CONFIG", "RESETSTAT")
          yield* nowAt(redis, streamOf(service))
          yield* Effect.provide(
            Inspector.Inspector.use((inspector) => inspector.purge(service, { state: "waiting", olderThan: "1 hour" })),
            Inspector.layer
          )
          for (const [other, node] of nodes.entries()) {
            const asked = /cmdstat_time:calls=(\d+)/.exec(String(yield* node.cli("INFO", "commandstats")))?.[1]
            if (other === index) assert.isAtLeast(Number(asked), 2, `node ${index} is asked`)
          }
        }
      }))

    it.effect("the command line lists services, dead letters, schedules and what waits, whichever node has them", () =>
      Effect.gen(function*() {
        const { services } = yield* World
        const listed = yield* json<{ services: ReadonlyArray<{ service: string }>; complete: boolean }>("services")
        assert.isTrue(listed.complete)
        assert.deepStrictEqual(listed.services.map(({ service }) => service), [...services].sort())
        const all = yield* Effect.forEach(services, (service) =>
          Effect.all({
            letters: json<{ letters: Array<{ actionType: string }> }>("dead", "ls", "-s", service),
            parked: json<{ entries: Array<{ actionType: string }> }>("list", "scheduled", "-s", service)
          }, { concurrency: 2 }))
        for (const [index, service] of services.entries()) {
          assert.deepStrictEqual(all[index]!.letters.letters.map(({ actionType }) => actionType), [`${service}.do`])
          assert.deepStrictEqual(all[index]!.parked.entries.map(({ actionType }) => actionType), [`${service}.do`])
        }
        const { schedules } = yield* json<{ schedules: Array<{ name: string }> }>("schedules", "ls", "-s", services[2]!)
        assert.deepStrictEqual(schedules.map(({ name }) => name), ["daily"])
      }))

    it.effect("the doctor looks at the node that has the service, and finds its keys in one slot", () =>
      Effect.gen(function*() {
        const { services } = yield* World
        const { nodes } = yield* Cluster.RedisCluster
        // What only this node has.
        yield* nodes[2]!.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        const result = yield* run("doctor", "-s", services[2]!, "--json")
        // SAFETY: the shape that docs/command-line.md promises.
        const { findings } = JSON.parse(result.stdout) as {
          readonly findings: ReadonlyArray<{ check: string; level: string; found: string }>
        }
        yield* nodes[2]!.cli("CONFIG", "SET", "maxmemory-policy", "noeviction")
        const of = (check: string) => findings.find((finding) => finding.check === check)
        assert.deepInclude(of("eviction"), { level: "problem", found: "maxmemory-policy allkeys-lru" })
        assert.deepInclude(of("slots"), { level: "ok", found: "the keys of the service are in one slot" })
        assert.include(of("server")?.found, "cluster")
        for (const role of ["sender", "worker", "operator"]) assert.strictEqual(of(`may be ${role}`)?.level, "ok")
      }))

    it.effect("the command line sends, asks, pauses, replays and cancels there", () =>
      Effect.gen(function*() {
        const { fails, services } = yield* World
        const service = services[1]!
        const answer = yield* run("request", `${service}.do`, `{"fate":"works"}`, "-s", service)
        assert.include(answer.stdout, service, answer.stderr)
        const paused = yield* json<{ actionType: string }>("pause", `${service}.do`, "-s", service)
        assert.strictEqual(paused.actionType, `${service}.do`)
        assert.strictEqual((yield* run("resume", `${service}.do`, "-s", service)).status, 0)
        const sent = yield* json<{ receipt: string }>(
          "send",
          `${service}.do`,
          `{"fate":"works"}`,
          "-s",
          service,
          "--delay",
          "1h"
        )
        assert.strictEqual((yield* run("cancel", sent.receipt, "--yes")).status, 0)

        fails.on = false
        const replayed = yield* run("dead", "replay", "-s", service, "--all", "--yes")
        assert.strictEqual(replayed.status, 0, replayed.stderr)
        yield* until(
          "the letter is gone, because its action worked",
          Effect.map(
            json<{ overview: { deadLetters: number } }>("stats", "-s", service),
            ({ overview }) => overview.deadLetters === 0
          )
        )
      }))

    it.effect("the dashboard lists all services, shows each of them, and does what a user asks for", () =>
      Effect.gen(function*() {
        const { services } = yield* World
        // The page is read when the dashboard starts.
        yield* Effect.sync(() => execFileSync(process.execPath, ["scripts/dashboard.ts"], { stdio: "ignore" }))
        const port = yield* Server.freePort
        const origin = `http://localhost:${port}`
        yield* Layer.build(
          HttpRouter.serve(Dashboard.layer(), { disableLogger: true, disableListenLog: true }).pipe(
            Layer.provide(Inspector.layerOptions({ scan: true })),
            Layer.provide(NodeHttpServer.layer(createServer, { port, host: "127.0.0.1" }))
          )
        )
        const get = <A>(path: string) =>
          // SAFETY: the shape of `api.ts`.
          Effect.promise(async () => (await (await fetch(`${origin}/api${path}`)).json()) as A)
        const listed = yield* get<{ services: ReadonlyArray<{ service: string }> }>("/services")
        assert.deepStrictEqual(listed.services.map(({ service }) => service), [...services].sort())
        for (const service of services) {
          const [overview, parked, schedules] = yield* Effect.all([
            get<{ service: string; scheduled: number }>(`/services/${service}`),
            get<{ entries: ReadonlyArray<object> }>(`/services/${service}/actions/scheduled`),
            get<ReadonlyArray<{ name: string }>>(`/services/${service}/schedules`)
          ])
          assert.strictEqual(overview.scheduled, 1, JSON.stringify(overview))
          assert.lengthOf(parked.entries, 1)
          assert.lengthOf(schedules, 1)
        }
        const service = services[2]!
        const letters = yield* get<{ letters: ReadonlyArray<{ id: string }> }>(`/services/${service}/dead/letters`)
        assert.lengthOf(letters.letters, 1)
        const response = yield* Effect.promise(() =>
          fetch(`${origin}/api/services/${service}/verbs`, {
            method: "POST",
            headers: { "content-type": "application/json", "x-redis-workers": "dashboard", origin },
            body: JSON.stringify({ verb: "replay", ids: [letters.letters[0]!.id] })
          })
        )
        assert.strictEqual(response.status, 200, yield* Effect.promise(() => response.text()))
        const audit = yield* get<ReadonlyArray<{ verb: string; service: string }>>("/audit")
        assert.deepInclude(audit[0], { verb: "replay", service })
      }).pipe(Effect.scoped))
  }
)
