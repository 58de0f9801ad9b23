/**
 * The conformance suite on everything that the library runs on: memory, a real server through ioredis, and the same
 * server through NodeRedis of `@effect/platform-node`, on which worker and client have to work unchanged.
 */
import * as NodeRedis from "@effect/platform-node/NodeRedis"
import { assert, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import { RetryLater } from "../../src/HandlerError.ts"
import { actionStream } from "../../src/internal/redis/names.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Redis from "../../src/Redis.ts"
import * as RedisMemory from "../../src/RedisMemory.ts"
import * as Settings from "../../src/Settings.ts"
import * as Conformance from "../../src/testing/Conformance.ts"
import * as Worker from "../../src/Worker.ts"
import { faults } from "../mutations/faults.ts"
import { libraryScripts } from "../support/libraryScripts.ts"
import { describeInMemory, type Kind, layerOnServer, runsOn } from "../support/place.ts"
import * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"

/** Connections are cut on purpose, which clients log. */
const quiet = Logger.layer([])

const onServer = <A, E>(make: (url: string) => Layer.Layer<A, E>) =>
  Layer.unwrap(Effect.map(Server.RedisServer, ({ url }) => make(url))).pipe(
    Layer.provideMerge(Server.layer()),
    Layer.provideMerge(quiet)
  )

const OverIoRedis = onServer((url) => IoRedis.layerOptions({ url }))
const OverNodeRedis = onServer((url) => NodeRedis.layer({ url }))

const suite = (
  kind: Kind,
  name: string,
  redis: Layer.Layer<Redis.Redis, unknown>
) =>
  runsOn(kind) &&
  layer(redis, { excludeTestServices: true })(name, (it) => {
    for (const { behaviour, name, run } of Conformance.cases) it.effect(`${behaviour}: ${name}`, () => run)
  })

suite("memory", "RedisMemory", RedisMemory.layer)
suite("server", "IoRedis on a server", OverIoRedis)
suite("server", "NodeRedis on a server", OverNodeRedis)

// -----------------------------------------------------------------------------
// the suite itself
// -----------------------------------------------------------------------------

interface Seen {
  /** `XADD`, `XGROUP CREATE` */
  readonly commands: Set<string>
  readonly scripts: Set<string>
}

/** Commands that have subcommands. */
const families = new Set(["CLIENT", "COMMAND", "CONFIG", "SCRIPT", "XGROUP", "XINFO"])

const nameOf = (command: string, subcommand: string | undefined) =>
  families.has(command) ? `${command} ${subcommand}` : command

/** Notes what is sent through a Redis. */
const noting = ({ commands, scripts }: Seen, redis: Redis.Redis["Service"]): Redis.Redis["Service"] => {
  const over = (connection: Redis.Connection): Redis.Connection => ({
    send: (command, ...args) => {
      commands.add(nameOf(command, args[0]))
      return connection.send(command, ...args)
    },
    eval: (script) => {
      scripts.add(script.lua)
      return connection.eval(script)
    }
  })
  return { ...redis, ...over(redis), reserve: Effect.map(redis.reserve, over) }
}

/** Commands in the sources of the library, its scripts included; not those of its memory layer, its testing kit and its command line. */
const inSources = (): ReadonlySet<string> => {
  const root = join(import.meta.dirname, "../../src")
  const found = new Set<string>()
  for (const file of readdirSync(root, { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".ts") || /^testing|^cli|memory|RedisMemory|faulty|ioredis\/cluster/.test(file)) continue
    const text = readFileSync(join(root, file), "utf8").replace(/^\s*\*.*$/gm, "")
    for (
      const [, command, subcommand] of text.matchAll(
        /\b(?:send|p?call)\b[^("']*\(\s*["']([A-Z]{2,})["'](?:,\s*["']([A-Z]+)["'])?/g
      )
    ) found.add(nameOf(command!, subcommand))
    // The adapter of a cluster answers it.
    found.delete("CLUSTER KEYSLOT")
    found.delete("CLUSTER")
  }
  return found
}

describeInMemory("the conformance suite", () => {
  it.effect(
    "passes under TestClock, and has a case for every command and script of the library",
    () =>
      Effect.gen(function*() {
        const seen: Seen = { commands: new Set(), scripts: new Set() }
        const Noted = Layer.effect(Redis.Redis, Effect.map(Redis.Redis, (redis) => noting(seen, redis)))
        const report = yield* Conformance.run(Layer.provide(Noted, RedisMemory.layer)).pipe(
          Effect.provideService(Conformance.PassTime, TestClock.adjust)
        )
        assert.strictEqual(
          Conformance.render(report),
          `${Conformance.cases.length} of ${Conformance.cases.length} cases passed`
        )
        const used = inSources()
        assert.isAbove(used.size, 30)
        assert.deepStrictEqual([...used].filter((command) => !seen.commands.has(command)), [])
        assert.deepStrictEqual(libraryScripts.filter(({ lua }) => !seen.scripts.has(lua)).map(({ name }) => name), [])
      }),
    60_000
  )

  it.effect(
    "demands only what the library sends: a layer that refuses every other command passes",
    () =>
      Effect.gen(function*() {
        const used = inSources()
        const refused = new Set<string>()
        const over = (connection: Redis.Connection): Redis.Connection => ({
          send: (command, ...args) => {
            const name = nameOf(command, args[0])
            if (used.has(name)) return connection.send(command, ...args)
            refused.add(name)
            return Effect.fail(new Redis.RedisError({ cause: new Error(`ERR unknown command '${command}'`) }))
          },
          eval: (script) => {
            assert.isTrue(libraryScripts.some(({ lua }) => lua === script.lua), script.lua)
            return connection.eval(script)
          }
        })
        const Narrow = Layer.effect(
          Redis.Redis,
          Effect.map(Redis.Redis, (redis) => ({ ...redis, ...over(redis), reserve: Effect.map(redis.reserve, over) }))
        )
        const report = yield* Conformance.run(Layer.provide(Narrow, RedisMemory.layer)).pipe(
          Effect.provideService(Conformance.PassTime, TestClock.adjust)
        )
        assert.strictEqual(
          Conformance.render(report),
          `${Conformance.cases.length} of ${Conformance.cases.length} cases passed`
        )
        assert.deepStrictEqual([...refused], [])
        assert.isFalse(used.has("APPEND"))
      }),
    60_000
  )

  it.effect(
    "passes under TestClock in 2026 too, where milliseconds do not fit into 32 bits",
    () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(Date.UTC(2026, 10, 30))
        const report = yield* Conformance.run(RedisMemory.layer).pipe(
          Effect.provideService(Conformance.PassTime, TestClock.adjust)
        )
        assert.strictEqual(
          Conformance.render(report),
          `${Conformance.cases.length} of ${Conformance.cases.length} cases passed`
        )
      }),
    60_000
  )

  it("names each case once", () => {
    const names = Conformance.cases.map(({ behaviour, name }) => `${behaviour}: ${name}`)
    assert.deepStrictEqual(names.filter((name, index) => names.indexOf(name) !== index), [])
  })

  it("is held against faults that can still be planted: npm run test:mutations", () => {
    for (const { file, search } of faults) {
      const text = readFileSync(join(import.meta.dirname, "../../src/internal", file), "utf8")
      assert.strictEqual(text.split(search).length - 1, 1, `${file}: ${search}`)
    }
  })

  it.effect("leaves no key behind", () =>
    Effect.gen(function*() {
      const memory = yield* RedisMemory.makeServer
      yield* Conformance.run(RedisMemory.layerServer(memory)).pipe(
        Effect.provideService(Conformance.PassTime, TestClock.adjust)
      )
      assert.deepStrictEqual(Object.keys(yield* memory.dump), [])
    }), 60_000)

  it.live("says which case failed, why, and what was expected", () =>
    Effect.gen(function*() {
      const Lossy = Layer.effect(
        Redis.Redis,
        Effect.map(Redis.Redis, (redis) => ({
          ...redis,
          send: (command: string, ...args: ReadonlyArray<string>) =>
            command === "XLEN" ? Effect.succeed<never>(7 as never) : redis.send<never>(command, ...args)
        }))
      )
      const report = yield* Conformance.run(Layer.provide(Lossy, RedisMemory.layer), {
        cases: Conformance.cases.filter(({ name }) => name.startsWith("XLEN") || name.startsWith("TIME"))
      })
      assert.deepStrictEqual(report.passed, ["TIME returns seconds and microseconds as text"])
      assert.strictEqual(
        Conformance.render(report),
        "✗ streams: XLEN counts entries, and is 0 without a stream\n  XLEN stream: expected 4, got 7\n1 of 2 cases passed"
      )
    }))
})

// -----------------------------------------------------------------------------
// worker and client over NodeRedis
// -----------------------------------------------------------------------------

class EmailTaken extends Schema.TaggedError<EmailTaken>()("EmailTaken", { email: Schema.String }) {}

const CreateUser = Action.make("user.create", {
  payload: { email: Schema.String },
  success: { userId: Schema.String },
  error: EmailTaken
})
const Users = ActionGroup.make(CreateUser)

/** Redis, names and a client of an environment of the test's own. */
const place = Effect.map(Effect.sync(Server.uniquePrefix), (environment) =>
  ActionClient.layer.pipe(
    Layer.provideMerge(QueueNaming.layer),
    Layer.provideMerge(Settings.layerOf({ serviceName: "user", environment }))
  ))

layerOnServer(OverNodeRedis, { excludeTestServices: true })("Worker and ActionClient over NodeRedis", (it) => {
  it.effect("answer requests, declared errors as themselves, many at once", () =>
    Effect.gen(function*() {
      yield* Worker.start(Users.handlers({
        "user.create": ({ email }) =>
          email === "taken" ? Effect.fail(new EmailTaken({ email })) : Effect.succeed({ userId: `id of ${email}` })
      }))
      const client = yield* ActionClient.ActionClient
      const emails = Array.from({ length: 200 }, (_, n) => `${n}@example.com`)
      const users = yield* Effect.forEach(emails, (email) => client.request(CreateUser, { email }), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(users.map(({ userId }) => userId), emails.map((email) => `id of ${email}`))
      const error = yield* Effect.flip(client.request(CreateUser, { email: "taken" }))
      assert.instanceOf(error, EmailTaken)
    }).pipe(Effect.provide(Layer.unwrap(place))))

  it.effect("run an action again that is to be retried, from the server's own due time", () =>
    Effect.gen(function*() {
      const attempts: Array<number> = []
      yield* Worker.start(Users.handlers({
        "user.create": (_, { attempt }) => {
          attempts.push(attempt)
          return attempt < 3 ? Effect.fail(new RetryLater({ after: "20 millis" })) : Effect.succeed({ userId: "u" })
        }
      }))
      const client = yield* ActionClient.ActionClient
      assert.deepStrictEqual(yield* client.request(CreateUser, { email: "a" }), { userId: "u" })
      assert.deepStrictEqual(attempts, [1, 2, 3])
    }).pipe(Effect.provide(Layer.unwrap(place))))

  it.effect("drain: what runs is finished and answered, what does not end is given back, and the next worker takes it", () =>
    Effect.gen(function*() {
      const client = yield* ActionClient.ActionClient
      const naming = yield* QueueNaming.QueueNaming
      const redis = yield* Redis.Redis
      const started: Array<string> = []
      const first = yield* Worker.start(
        Users.handlers({
          "user.create": ({ email }) => {
            started.push(email)
            return email === "stuck" ? Effect.never : Effect.as(Effect.sleep("200 millis"), { userId: "first" })
          }
        }),
        { shutdownGrace: "500 millis" }
      )
      const running = yield* Effect.forkChild(client.request(CreateUser, { email: "runs" }))
      yield* client.send(CreateUser, { email: "stuck" })
      yield* until("both run", Effect.sync(() => started.length === 2))
      yield* first.drain
      assert.deepStrictEqual(yield* Fiber.join(running), { userId: "first" })
      const again: Array<string> = []
      yield* Worker.start(Users.handlers({
        "user.create": ({ email }) => {
          again.push(email)
          return Effect.succeed({ userId: "second" })
        }
      }))
      yield* until("the next worker has it", Effect.sync(() => again.length === 1))
      assert.deepStrictEqual(again, ["stuck"])
      yield* until(
        "all is acknowledged",
        Effect.map(redis.send("XLEN", actionStream(naming, "user")), (length) => length === 0)
      )
    }).pipe(Effect.provide(Layer.unwrap(place))))
})
