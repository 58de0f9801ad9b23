import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import { Redis as Client } from "ioredis"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Redis from "../../src/Redis.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import { recordingAll as recording, shown } from "../support/logs.ts"
import * as Server from "../support/redisServer.ts"
import { RespConnection } from "../support/resp.ts"
import { until } from "../support/until.ts"

class TokenUnavailable extends Data.TaggedError("TokenUnavailable")<{ readonly message: string }> {}

const said = (lines: ReadonlyArray<string>, words: RegExp) => Effect.sync(() => lines.some((line) => words.test(line)))

/** A server whose user `worker` has one password at a time, and the default user that a test acts by. */
const serverWith = (password: string) => Server.start({ config: [`user worker on >${password} ~* &* +@all`] })

const change = (server: Server.Server, password: string) =>
  server.cli("ACL", "SETUSER", "worker", "resetpass", `>${password}`)

/** Ends every connection of the user, of every kind. */
const killAll = (server: Server.Server) => server.cli("CLIENT", "KILL", "USER", "worker")

const rolesOf = (server: Server.Server) =>
  Effect.map(
    server.cli("CLIENT", "LIST"),
    (list) => Array.from(String(list).matchAll(/ name=effect-redis-workers:([a-z]+):/g), (match) => match[1]!).sort()
  )

const work = (redis: Redis.Redis["Service"], words: ReadonlyArray<string>) =>
  Effect.map(Effect.result(redis.send(words[0]!, ...words.slice(1))), (result) => result._tag === "Success")

/** A password that changes, and how often it was asked for. */
const changing = (first: string) => {
  const state = { current: first, asked: 0 }
  return {
    state,
    password: Effect.sync(() => {
      state.asked++
      return Redacted.make(state.current)
    })
  }
}

describe("a password that is an effect", () => {
  it.live("is asked for again by the shared connection, by reserved ones and by subscriptions, when they come back", () =>
    Effect.gen(function*() {
      const server = yield* serverWith("first")
      const { password, state } = changing("first")
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        yield* Effect.scoped(Effect.flatMap(redis.reserve, (reserved) => reserved.send("PING")))
        const messages = yield* redis.subscribe("news")
        yield* until(
          "the subscription stands",
          Effect.map(server.cli("PUBLISH", "news", "before"), (reached) => reached === 1)
        )
        assert.strictEqual((yield* Queue.take(messages)).message, "before")
        assert.deepStrictEqual(yield* rolesOf(server), ["blocking", "command", "subscriber"])
        assert.strictEqual(state.asked, 3)

        state.current = "second"
        yield* change(server, "second")
        yield* killAll(server)
        yield* until("the shared connection is back", work(redis, ["PING"]))
        yield* until(
          "a reserved connection works",
          Effect.map(
            Effect.result(Effect.scoped(Effect.flatMap(redis.reserve, (reserved) => reserved.send("PING")))),
            (result) => result._tag === "Success"
          )
        )
        yield* until(
          "the subscription is back",
          Effect.map(server.cli("PUBLISH", "news", "hello"), (reached) => reached === 1)
        )
        assert.strictEqual((yield* Queue.take(messages)).message, "hello")
        assert.isAtLeast(state.asked, 6)
      }).pipe(
        Effect.scoped,
        Effect.provide(IoRedis.layerOptions({ url: server.url, username: "worker", password }))
      )
    }))

  it.live("lets a worker and a client that waits for its answer go on after the old one ended", () =>
    Effect.gen(function*() {
      const server = yield* serverWith("first")
      const { password, state } = changing("first")
      const ping = Action.make("user.ping")
      const group = ActionGroup.make(ping)
      const environment = Server.uniquePrefix()
      const services = Layer.mergeAll(
        QueueNaming.layer,
        IoRedis.layerOptions({ url: server.url, username: "worker", password })
      ).pipe(Layer.provideMerge(Settings.layerOf({ serviceName: "user", environment, block: "200 millis" })))
      yield* Effect.gen(function*() {
        yield* Layer.build(Worker.layer(group.handlers({ "user.ping": () => Effect.void })))
        const client = yield* ActionClient.ActionClient
        const ask = client.request(ping, {}, { timeout: "30 seconds" })
        yield* ask
        state.current = "second"
        yield* change(server, "second")
        yield* killAll(server)
        yield* until(
          "an answer comes again",
          Effect.map(
            Effect.result(client.request(ping, {}, { timeout: "1 second" })),
            (r) => r._tag === "Success"
          )
        )
      }).pipe(Effect.scoped, Effect.provide(Layer.provideMerge(ActionClient.layer, services)))
    }))

  it.live("follows CONFIG SET requirepass, without a user", () =>
    Effect.gen(function*() {
      const server = yield* Server.start({ password: "first" })
      const { password, state } = changing("first")
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        yield* redis.send("CONFIG", "SET", "requirepass", "second")
        state.current = "second"
        const admin = new RespConnection(server.port)
        yield* Effect.promise(async () => {
          await admin.send("AUTH", "second")
          await admin.send("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
          admin.close()
        })
        yield* until("it is back", work(redis, ["PING"]))
      }).pipe(Effect.provide(IoRedis.layerOptions({ url: server.url, password })))
    }))

  it.live("that is refused after the start, since the new one is not there yet, is waited for", () =>
    Effect.gen(function*() {
      const server = yield* serverWith("first-secret")
      const { password, state } = changing("first-secret")
      const lines: Array<string> = []
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        yield* change(server, "second-secret")
        yield* killAll(server)
        yield* until("it is told", said(lines, /Cannot reconnect to .*: The password was refused: WRONGPASS/))
        // No WRONGPASS of a command, which would end a worker.
        const failure = yield* Effect.flip(redis.send("PING"))
        assert.notMatch(String(failure.cause), /CommandError: WRONGPASS/)
        const reserved = yield* Effect.flip(Effect.scoped(redis.reserve))
        assert.notMatch(String(reserved.cause), /CommandError: WRONGPASS/)
        state.current = "second-secret"
        yield* until("it is back", work(redis, ["PING"]))
      }).pipe(
        Effect.provide(
          Layer.provideMerge(
            IoRedis.layerOptions({ url: server.url, username: "worker", password }),
            recording(lines)
          )
        )
      )
      assert.notInclude(lines.join("\n"), "secret")
    }))

  it.live("may need services, which the layer then needs", () =>
    Effect.gen(function*() {
      class Tokens extends Context.Service<Tokens, { readonly current: string }>()("test/Tokens") {}
      const server = yield* serverWith("hunter2")
      const layer: Layer.Layer<Redis.Redis | IoRedis.IoRedis, IoRedis.RedisStartError | IoRedis.InvalidOption, Tokens> =
        IoRedis.layerOptions({
          url: server.url,
          username: "worker",
          password: Effect.map(Tokens, ({ current }) => Redacted.make(current))
        })
      yield* Redis.Redis.pipe(
        Effect.provide(layer),
        Effect.provideService(Tokens, { current: "hunter2" })
      )
    }))

  it.live("is refused at the start with the same error as one that does not change", () =>
    Effect.gen(function*() {
      const server = yield* serverWith("right")
      const layer = IoRedis.layerOptions({
        url: server.url,
        username: "worker",
        password: Effect.succeed(Redacted.make("wrong"))
      })
      const error = yield* Effect.flip(Effect.provide(Redis.Redis, layer))
      assert.instanceOf(error, IoRedis.RedisStartError)
      assert.strictEqual(error.reason._tag, "WrongPassword")
      assert.match(error.message, /WRONGPASS/)
    }))
})

describe("an effect that gives no password", () => {
  const secret = "hunter2-secret"
  const failing: ReadonlyArray<[string, Effect.Effect<Redacted.Redacted<string>, unknown>, RegExp]> = [
    ["fails", new TokenUnavailable({ message: `no token, not even ${secret}` }), /failed with TokenUnavailable/],
    ["fails with a text", Effect.fail(secret), /failed with an unnamed error/],
    ["dies", Effect.die(new RangeError(secret)), /failed with RangeError/],
    ["never ends", Effect.never, /took longer than 300 ms/],
    [
      "gives a text that is not Redacted",
      Effect.succeed(secret as unknown as Redacted.Redacted<string>),
      /gave no Redacted text/
    ]
  ]
  for (const [what, password, words] of failing) {
    it.live(`fails the start, typed and without its message, when it ${what}`, () =>
      Effect.gen(function*() {
        const server = yield* Server.start({ password: secret })
        const exit = yield* Effect.exit(
          Effect.provide(Redis.Redis, IoRedis.layerOptions({ url: server.url, password, connectTimeout: "300 millis" }))
        )
        assert.isTrue(Exit.isFailure(exit))
        const error = yield* Effect.flip(exit)
        assert.instanceOf(error, IoRedis.RedisStartError)
        assert.strictEqual(error.reason._tag, "PasswordUnavailable")
        assert.match(error.message, words)
        assert.notInclude(shown(exit) + JSON.stringify(exit), secret)
      }))
  }

  it.live("is run again by each attempt to come back, and its failure is logged without a secret", () =>
    Effect.gen(function*() {
      const server = yield* serverWith(secret)
      const lines: Array<string> = []
      let ask: Effect.Effect<Redacted.Redacted<string>, TokenUnavailable> = Effect.succeed(Redacted.make(secret))
      let asked = 0
      const password = Effect.suspend(() => {
        asked++
        return ask
      })
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        ask = Effect.fail(new TokenUnavailable({ message: `no token, not even ${secret}` }))
        const before = asked
        yield* killAll(server)
        yield* until("it is told", said(lines, /Cannot reconnect to .*: .*failed with TokenUnavailable/))
        yield* until("it is tried again and again", Effect.sync(() => asked > before + 2))
        const failure = yield* Effect.flip(Effect.scoped(redis.reserve))
        assert.match(String(failure.cause), /Connection is closed: .*TokenUnavailable/)
        ask = Effect.succeed(Redacted.make(secret))
        yield* until("it is back", work(redis, ["PING"]))
      }).pipe(
        Effect.provide(
          Layer.provideMerge(
            IoRedis.layerOptions({ url: server.url, username: "worker", password }),
            recording(lines)
          )
        )
      )
      assert.notInclude(lines.join("\n"), secret)
    }))

  it.live("is interrupted when the layer closes while it runs", () =>
    Effect.gen(function*() {
      const server = yield* serverWith(secret)
      let slow = false
      let running = 0
      const password = Effect.suspend(() => {
        if (!slow) return Effect.succeed(Redacted.make(secret))
        running++
        return Effect.onInterrupt(Effect.never, () => Effect.sync(() => running--))
      })
      const fiber = yield* Effect.gen(function*() {
        yield* Redis.Redis
        slow = true
        yield* killAll(server)
        return yield* Effect.never
      }).pipe(Effect.provide(IoRedis.layerOptions({ url: server.url, username: "worker", password })), Effect.forkChild)
      yield* until("it runs", Effect.sync(() => running === 1))
      yield* Fiber.interrupt(fiber)
      yield* until("it was interrupted", Effect.sync(() => running === 0))
      assert.deepStrictEqual(yield* rolesOf(server), [])
    }))
})

describe("a password of an ioredis client that exists", () => {
  it.live("may be replaced in its options, for all connections that are opened from then on", () =>
    Effect.gen(function*() {
      const server = yield* serverWith("first")
      const client = new Client({
        host: server.host,
        port: server.port,
        username: "worker",
        password: "first",
        lazyConnect: true
      })
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        client.options.password = "second"
        yield* change(server, "second")
        yield* killAll(server)
        yield* until("it is back", work(redis, ["PING"]))
        yield* Effect.scoped(Effect.flatMap(redis.reserve, (reserved) => reserved.send("PING")))
      }).pipe(Effect.provide(IoRedis.layerClient(client)))
    }))
})

describe("a password with white space at its ends", () => {
  const starts: ReadonlyArray<[string, (url: string) => IoRedis.Options]> = [
    ["a new line after it", (url) => ({ url, password: "hunter2\n" })],
    ["a blank before it, as a Redacted", (url) => ({ url, password: Redacted.make(" hunter2") })],
    ["a blank after it, in the url", (url) => ({ url: url.replace("//", "//:hunter2%20@") })],
    ["a tab after it, from an effect", (url) => ({ url, password: Effect.succeed(Redacted.make("hunter2\t")) })],
    ["a blank after it, in options of ioredis", (url) => ({ url, ioredis: { password: "hunter2 " } })]
  ]
  for (const [what, options] of starts) {
    it.live(`is named as what may be wrong when it is refused, with ${what}`, () =>
      Effect.gen(function*() {
        const server = yield* Server.start({ password: "hunter2" })
        const error = yield* Effect.flip(Effect.provide(Redis.Redis, IoRedis.layerOptions(options(server.url))))
        assert.instanceOf(error, IoRedis.RedisStartError)
        assert.strictEqual(error.reason._tag, "WrongPassword")
        assert.match(error.message, /begins or ends with white space/)
        assert.notInclude(shown(error), "hunter2")
      }))
  }

  it.live("is not blamed when it has none, nor when it is right", () =>
    Effect.gen(function*() {
      const server = yield* Server.start({ password: "hunter2" })
      const wrong = IoRedis.layerOptions({ url: server.url, password: "hunter 3" })
      const error = yield* Effect.flip(Effect.provide(Redis.Redis, wrong))
      assert.notMatch(error.message, /white space/)
      const admin = new RespConnection(server.port)
      yield* Effect.promise(async () => {
        await admin.send("AUTH", "hunter2")
        await admin.send("CONFIG", "SET", "requirepass", " hunter2 ")
        admin.close()
      })
      yield* Effect.provide(Redis.Redis, IoRedis.layerOptions({ url: server.url, password: " hunter2 " }))
    }))
})
