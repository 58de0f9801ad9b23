import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Net from "node:net"
import * as IoRedis from "../../src/IoRedis.ts"
import * as Redis from "../../src/Redis.ts"
import * as Settings from "../../src/Settings.ts"
import { recordingAll as recording, shown } from "../support/logs.ts"
import * as Server from "../support/redisServer.ts"
import { RespConnection } from "../support/resp.ts"
import { until } from "../support/until.ts"

const ping = Effect.flatMap(Redis.Redis, (redis) => redis.send<string>("PING"))

const startWith = (options: IoRedis.Options) => Effect.provide(ping, IoRedis.layerOptions(options))

const failureOf = (options: IoRedis.Options) =>
  Effect.map(Effect.flip(startWith({ connectTimeout: "10 seconds", ...options })), (error) => {
    assert.strictEqual(error._tag, "RedisStartError")
    return error as IoRedis.RedisStartError
  })

/** A port that does what the handler does with each connection. */
const listener = (handle: (socket: Net.Socket) => void) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
      const sockets = new Set<Net.Socket>()
      const server = Net.createServer((socket) => {
        sockets.add(socket)
        socket.on("error", () => {})
        handle(socket)
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed({
          port: typeof address === "object" && address !== null ? address.port : 0,
          close: () => {
            server.close()
            for (const socket of sockets) socket.destroy()
          }
        }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

describe("a start of IoRedis that fails", () => {
  it.live("reports a wrong password", () =>
    Effect.gen(function*() {
      const server = yield* Server.start({ password: "right" })
      const error = yield* failureOf({ url: server.url, password: "wrong" })
      assert.strictEqual(error.reason._tag, "WrongPassword")
      assert.match(error.message, /127\.0\.0\.1:\d+: WRONGPASS .*REDIS_PASSWORD/)
    }))

  it.live("reports a missing password", () =>
    Effect.gen(function*() {
      const server = yield* Server.start({ password: "right" })
      const error = yield* failureOf({ url: server.url })
      assert.strictEqual(error.reason._tag, "WrongPassword")
      assert.match(error.message, /asks for a password: set REDIS_PASSWORD/)
    }))

  it.live("reports a user without permission", () =>
    Effect.gen(function*() {
      const server = yield* Server.start({ config: ["user worker on >pw ~* -@all"] })
      const error = yield* failureOf({ url: server.url, username: "worker", password: "pw" })
      assert.strictEqual(error.reason._tag, "NoPermission")
      assert.match(error.message, /ACL/)
    }))

  it.live("reports an unknown host", () =>
    Effect.gen(function*() {
      const error = yield* failureOf({ url: "redis://redis.invalid:6379" })
      assert.strictEqual(error.reason._tag, "UnknownHost")
      assert.match(error.message, /redis\.invalid:6379/)
    }))

  it.live("reports a refused port", () =>
    Effect.gen(function*() {
      const { close, port } = yield* listener(() => {})
      close()
      const error = yield* failureOf({ url: `redis://127.0.0.1:${port}` })
      assert.strictEqual(error.reason._tag, "Refused")
      assert.match(error.message, /check that the server runs/)
    }))

  for (
    const [what, path] of [
      ["does not exist", "/tmp/effect-redis-workers-none.sock"],
      ["is an ordinary file", import.meta.filename],
      ["is below an ordinary file", `${import.meta.filename}/redis.sock`]
    ] as const
  ) {
    it.live(`reports a unix socket that ${what}`, () =>
      Effect.gen(function*() {
        const error = yield* failureOf({ url: `unix://${path}` })
        assert.strictEqual(error.reason._tag, "Refused")
        assert.match(error.message, /check that the server runs, that its option unixsocket is this path/)
        assert.include(error.message, path)
      }))
  }

  it.live("reports a server that never answers", () =>
    Effect.gen(function*() {
      const { port } = yield* listener(() => {})
      const error = yield* failureOf({ url: `redis://127.0.0.1:${port}`, connectTimeout: "200 millis" })
      assert.strictEqual(error.reason._tag, "TimedOut")
      assert.match(error.message, /no answer within 200 ms/)
    }))

  it.live("reports a port without TLS", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      const error = yield* failureOf({
        url: server.url.replace("redis:", "rediss:"),
        connectTimeout: "500 millis"
      })
      assert.strictEqual(error.reason._tag, "Tls")
      assert.match(error.message, /Use redis:\/\/ for a server without TLS/)
    }))

  it.live("reports a certificate that is not trusted", () =>
    Effect.gen(function*() {
      const { tls } = yield* Server.start({ tls: true })
      const error = yield* failureOf({ url: tls!.url })
      assert.strictEqual(error.reason._tag, "Tls")
      assert.match(error.message, /self.signed certificate/)
    }))

  it.live("hints at TLS when the server hangs up on a plain connection", () =>
    Effect.gen(function*() {
      const { tls } = yield* Server.start({ tls: true })
      const error = yield* failureOf({ url: tls!.url.replace("rediss:", "redis:") })
      assert.strictEqual(error.reason._tag, "Other")
      assert.match(error.message, /wants TLS/)
    }))

  it.live("reports that the server is still loading", () =>
    Effect.gen(function*() {
      const { port } = yield* listener((socket) => {
        socket.on("data", (data) => {
          // One reply for each command, they all begin with the number of their parts.
          for (const _ of data.toString().matchAll(/^\*/gm)) socket.write("-LOADING Redis is loading the dataset\r\n")
        })
      })
      const error = yield* failureOf({ url: `redis://127.0.0.1:${port}`, connectTimeout: "300 millis" })
      assert.strictEqual(error.reason._tag, "Loading")
    }))

  it.live("reports a server that is not Redis", () =>
    Effect.gen(function*() {
      const { port } = yield* listener((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"))
      const error = yield* failureOf({ url: `redis://127.0.0.1:${port}` })
      assert.strictEqual(error.reason._tag, "Other")
      assert.match(error.message, /does not answer as Redis does/)
    }))

  it.live("refuses a database that does not exist instead of using the first one", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      const error = yield* failureOf({ url: `${server.url}/99` })
      assert.strictEqual(error.reason._tag, "Unsupported")
      assert.match(error.message, /the server has no database 99: ERR DB index is out of range \(use a number below/)
    }))

  it.live("refuses a malformed URL without repeating it", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(startWith({ url: "hunter2@cache" }))
      assert.deepInclude(error, { _tag: "InvalidOption", option: "url" })
      assert.notInclude(error.message, "hunter2")
    }))

  for (
    const [name, time] of [
      ["connectTimeout", "Infinity"],
      ["connectTimeout", 0],
      ["replyTimeout", Number.NaN],
      ["replyTimeout", "30 days"],
      ["blockGrace", -1],
      ["healthCheckInterval", -1]
    ] as const
  ) {
    it.live(`refuses a ${name} of ${time}`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(startWith({ url: "redis://127.0.0.1:1", [name]: time }))
        assert.deepInclude(error, { _tag: "InvalidOption", option: name })
        assert.include(error.message, `The option "${name}" is `)
      }))
  }

  it.live("has a connection for each reader of the settings, and more for requests", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      const settings = Settings.layerOf({ serviceName: "user", consumers: 150, redis: { url: server.url } })
      const redis = yield* Effect.flatMap(Layer.build(IoRedis.layer.pipe(Layer.provide(settings))), (context) =>
        Effect.provideContext(Redis.Redis, context))
      yield* Effect.scoped(Effect.forEach(Array.from({ length: 160 }), () =>
        redis.reserve, {
        concurrency: "unbounded",
        discard: true
      }))
    }))

  it.live("leaves no connection behind", () =>
    Effect.gen(function*() {
      const open = new Set<Net.Socket>()
      const { port } = yield* listener((socket) => {
        open.add(socket)
        socket.on("close", () => open.delete(socket))
        socket.resume()
      })
      yield* failureOf({ url: `redis://127.0.0.1:${port}`, connectTimeout: "100 millis" })
      yield* until("the socket is closed", Effect.sync(() => open.size === 0))
    }))

  it.live("can be interrupted", () =>
    Effect.gen(function*() {
      const { port } = yield* listener(() => {})
      const result = yield* startWith({ url: `redis://127.0.0.1:${port}`, connectTimeout: "1 minute" }).pipe(
        Effect.timeoutOption("100 millis")
      )
      assert.strictEqual(result._tag, "None")
    }))
})

describe("IoRedis over TLS", () => {
  it.live("works when the certificate is trusted", () =>
    Effect.gen(function*() {
      const { tls } = yield* Server.start({ tls: true })
      const options = { url: tls!.url, ioredis: { tls: { ca: tls!.certificate } } }
      assert.strictEqual(yield* startWith(options), "PONG")
    }))
})

describe("the password", () => {
  const secret = "hunter2-secret"

  /** The password of the server changes, and all connections have to come again. */
  const changePassword = (port: number) =>
    Effect.promise(async () => {
      const connection = new RespConnection(port)
      await connection.send("AUTH", secret)
      await connection.send("CONFIG", "SET", "requirepass", "changed")
      await connection.send("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
      connection.close()
    })

  it.live("is in no error of a failed start, however it was given", () =>
    Effect.gen(function*() {
      const server = yield* Server.start({ password: "other" })
      const ways: ReadonlyArray<IoRedis.Options> = [
        { url: server.url, password: secret },
        { url: server.url, password: Redacted.make(secret) },
        { url: server.url.replace("//", `//:${secret}@`) },
        { url: server.url.replace("//", `//default:${secret}@`).replace("redis:", "rediss:"), connectTimeout: 300 },
        { url: `redis://:${secret}@redis.invalid` },
        { url: `redis://:${secret}@127.0.0.1:1` },
        { url: `redis://:${secret}@127.0.0.1:1/nodb` },
        { url: `http://:${secret}@127.0.0.1:1` }
      ]
      for (const options of ways) {
        const lines: Array<string> = []
        const exit = yield* Effect.exit(
          startWith(options).pipe(
            Effect.tapCause((cause) => Effect.logError("cannot start", cause)),
            Effect.provide(recording(lines))
          )
        )
        assert.isTrue(Exit.isFailure(exit))
        if (Exit.isSuccess(exit)) return
        const everything = [shown(exit), Cause.pretty(exit.cause), JSON.stringify(exit), ...lines].join("\n")
        assert.include(everything, "cannot start")
        assert.notInclude(everything, secret)
      }
    }))

  it.live("does not appear in an inspected service, layer or settings", () =>
    Effect.gen(function*() {
      const server = yield* Server.start({ password: secret })
      const settings = { serviceName: "user", redis: { url: server.url, password: secret } }
      yield* Effect.gen(function*() {
        const ioredis = yield* IoRedis.IoRedis
        const redis = yield* Redis.Redis
        const context = yield* Effect.context<never>()
        const values = yield* Settings.Settings
        assert.strictEqual(yield* redis.send("PING"), "PONG")
        for (const value of [ioredis, redis, context, values, yield* redis.reserve, IoRedis.layer]) {
          assert.notInclude(shown(value), secret)
        }
        assert.notInclude(JSON.stringify([ioredis, values]), secret)
      }).pipe(Effect.scoped, Effect.provide(Layer.provideMerge(IoRedis.layer, Settings.layerOf(settings))))
    }))

  it.live("and payloads are in no error and no log while the server is lost and refuses the password afterwards", () =>
    Effect.gen(function*() {
      const server = yield* Server.start({ password: secret })
      const lines: Array<string> = []
      const errors: Array<unknown> = []
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        const attempt = Effect.tapError(
          redis.send("SET", "k", secret, "NX", "EX", "zero"),
          (error) => Effect.sync(() => errors.push(error))
        )
        yield* Effect.ignore(attempt)
        yield* Effect.ignore(redis.send("NOSUCH", secret))
        yield* changePassword(server.port)
        yield* until(
          "the new password is refused",
          Effect.map(
            Effect.result(attempt),
            (result) => result._tag === "Failure" && shown(result.failure).includes("WRONGPASS")
          )
        )
        yield* until("and logged", Effect.sync(() => lines.some((line) => line.includes("Cannot reconnect to"))))
      }).pipe(
        Effect.provide(
          Layer.provideMerge(IoRedis.layerOptions({ url: server.url, password: secret }), recording(lines))
        )
      )
      assert.isAtLeast(errors.length, 2)
      assert.notInclude(shown(errors) + JSON.stringify(errors) + lines.join("\n"), secret)
    }))
})
