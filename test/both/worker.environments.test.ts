/**
 * A worker that listens in another environment than its senders is told so, since nothing else would ever tell it.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import { Redis } from "../../src/Redis.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import { inMemory, onBoth, Place, send } from "../support/layers.ts"
import { recording } from "../support/logs.ts"
import { layerOnServer } from "../support/place.ts"
import * as Server from "../support/redisServer.ts"

const said = Effect.map(
  Place,
  ({ logs }) =>
    logs.filter(({ text }) => text.startsWith("No action has ever come")).map(({ level, text }) => `${level} ${text}`)
)

const someAction = ["*", "data", "{}"] as const

/** Starts and ends a worker; what it handles is no matter. */
const startFor = (service: string) => Effect.scoped(Worker.start({}, { service }))

/** The stream of a service in an environment. */
const streamIn = (environment: string, service: string) => `nooble4:${environment}:${service}:streams:main`

onBoth("A worker to which nothing has ever come", (test) => {
  for (const environment of ["dev", "development", "staging", "prod", "production", "local"]) {
    test(`warns that its service has a stream in the environment ${environment}, with both names`, () =>
      Effect.gen(function*() {
        const place = yield* Place
        const service = `in-${environment}`
        yield* send("XADD", streamIn(environment, service), ...someAction)
        yield* startFor(service)
        assert.deepStrictEqual(yield* said, [
          `Warn No action has ever come to ${streamIn(place.environment, service)}, but ${
            streamIn(environment, service)
          } exists. Senders and workers need the same environment: if your senders write there, set ` +
          `ENVIRONMENT=${environment}`
        ])
      }))
  }

  test("names all of them in one warning", () =>
    Effect.gen(function*() {
      for (const environment of ["production", "development"]) {
        yield* send("XADD", streamIn(environment, "several"), ...someAction)
      }
      yield* startFor("several")
      const [warning, ...others] = yield* said
      assert.isEmpty(others)
      assert.include(
        warning,
        `but ${streamIn("development", "several")} and ${streamIn("production", "several")} exist. `
      )
    }))

  test("warns again at its next start, as long as nothing has come", () =>
    Effect.gen(function*() {
      yield* send("XADD", streamIn("development", "again"), ...someAction)
      yield* startFor("again")
      yield* startFor("again")
      assert.lengthOf(yield* said, 2)
    }))

  test("says nothing where the service has no other stream, and where another service has one", () =>
    Effect.gen(function*() {
      yield* send("XADD", streamIn("development", "another"), ...someAction)
      yield* send("XADD", streamIn("elsewhere", "lonely"), ...someAction)
      yield* startFor("lonely")
      assert.isEmpty(yield* said)
    }))
})

onBoth("A worker to which something has come", (test) => {
  test("does not look for other environments while an action waits for it", () =>
    Effect.gen(function*() {
      const { environment } = yield* Place
      yield* send("XADD", streamIn("development", "waiting"), ...someAction)
      yield* send("XADD", streamIn(environment, "waiting"), ...someAction)
      yield* startFor("waiting")
      assert.isEmpty(yield* said)
    }))

  test("does not look for other environments when all that came is done", () =>
    Effect.gen(function*() {
      const { environment } = yield* Place
      const stream = streamIn(environment, "done")
      yield* send("XADD", streamIn("development", "done"), ...someAction)
      yield* send("XGROUP", "CREATE", stream, "done-group", "0", "MKSTREAM")
      const id = yield* send<string>("XADD", stream, ...someAction)
      yield* send("XREADGROUP", "GROUP", "done-group", "someone", "STREAMS", stream, ">")
      yield* send("XACK", stream, "done-group", id)
      yield* send("XDEL", stream, id)
      yield* startFor("done")
      assert.isEmpty(yield* said)
    }))
})

inMemory("A worker that looks for other environments", (test) => {
  const named = (names: QueueNaming.QueueNamingShape, service: string) =>
    Effect.provide(startFor(service), QueueNaming.layerOf(names))

  test("knows a prefix that holds colons", () =>
    Effect.gen(function*() {
      yield* send("XADD", "shop:eu:prod:user:streams:main", ...someAction)
      yield* named(QueueNaming.make({ prefix: "shop:eu", environment: "dev" }), "user")
      assert.include((yield* said)[0], "shop:eu:dev:user:streams:main, but shop:eu:prod:user:streams:main exists")
    }))

  test("guesses no names where they are of the user's own", () =>
    Effect.gen(function*() {
      const asked: Array<string> = []

      const redis = yield* Redis
      const listening: Redis["Service"] = {
        ...redis,
        send: (command, ...args) => {
          if (command === "EXISTS" && args.length === 1 && !String(args[0]).endsWith(":schedules:specs")) {
            asked.push(args.join(" "))
          }
          return redis.send(command, ...args)
        }
      }
      for (const stream of ["{user}:main", "prod:user:streams:main:v2", ":user:streams:main", "user:streams:main"]) {
        const wire = QueueNaming.make({ prefix: "nooble4", environment: "dev" })
        const key: typeof wire.key = (...parts) => parts.join() === "user,streams,main" ? stream : wire.key(...parts)
        const names = { ...wire, key, accepts: () => false }
        yield* Effect.provideService(named(names, "user"), Redis, listening)
      }
      assert.isEmpty(asked)
      yield* Effect.provideService(startFor("user"), Redis, listening)
      assert.deepStrictEqual(
        asked,
        ["dev", "development", "staging", "prod", "production", "local"].map((environment) =>
          streamIn(environment, "user")
        )
      )
    }))
})

layerOnServer(Server.layer(), { excludeTestServices: true, timeout: 30_000 })("A worker under an ACL", (it) => {
  for (
    const [name, pattern, warned] of [
      ["starts without a warning where it may not look at other environments", "~nooble4:dev:*", []],
      [
        "warns of the environment that it may look at, though it may not look at the others",
        "~nooble4:dev:* ~nooble4:production:*",
        [/but nooble4:production:user:streams:main exists\./]
      ]
    ] as const
  ) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const server = yield* Server.RedisServer
        yield* server.cli("FLUSHALL")
        yield* server.cli("XADD", "nooble4:development:user:streams:main", ...someAction)
        yield* server.cli("XADD", "nooble4:production:user:streams:main", ...someAction)
        yield* server.cli("ACL", "SETUSER", "limited", "reset", "on", ">secret", "+@all", "&*", ...pattern.split(" "))
        const lines: Array<string> = []
        const Limited = Layer.mergeAll(IoRedis.layer, QueueNaming.layer, recording(lines)).pipe(
          Layer.provideMerge(Settings.layerOf({
            serviceName: "user",
            redis: { url: server.url, username: "limited", password: "secret" }
          }))
        )
        const worker = yield* Effect.provide(
          Effect.scoped(Effect.flatMap(Worker.start({ "user.ping": () => Effect.void }), ({ status }) => status)),
          Limited
        )
        assert.strictEqual(worker.state, "running")
        assert.lengthOf(lines.filter((line) => line.includes("NOPERM")), 0)
        const warnings = lines.filter((line) => line.includes("No action has ever come"))
        assert.lengthOf(warnings, warned.length)
        for (const [index, pattern] of warned.entries()) assert.match(warnings[index] ?? "", pattern)
      }))
  }
})
