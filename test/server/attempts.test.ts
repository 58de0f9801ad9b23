import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { AbstractConnector } from "ioredis"
import * as Net from "node:net"
import { failureOf } from "../../src/internal/redis/failure.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as Redis from "../../src/Redis.ts"
import * as Proxy from "../support/proxy.ts"
import * as Server from "../support/redisServer.ts"
import { RespConnection } from "../support/resp.ts"
import * as Sentinel from "../support/sentinel.ts"
import { until } from "../support/until.ts"

const times: IoRedis.Options = { connectTimeout: "1 second", replyTimeout: "10 seconds" }

const recording = (lines: Array<string>) =>
  Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))])

const said = (lines: ReadonlyArray<string>, words: RegExp) =>
  until(`the log says ${words}`, Effect.sync(() => lines.some((line) => words.test(line))))

const send = Effect.flatMap(Redis.Redis, (redis) => redis.send("PING"))
const reserve = Effect.scoped(
  Effect.flatMap(Redis.Redis, (redis) => Effect.flatMap(redis.reserve, (connection) => connection.send("PING")))
)

const works = <R>(what: string, effect: Effect.Effect<unknown, Redis.RedisError, R>) =>
  until(`${what} works`, Effect.map(Effect.exit(effect), Exit.isSuccess))

/** Fails within far less than the reply timeout, as a failure that passes. */
const failsAsConnection = <A, R>(effect: Effect.Effect<A, Redis.RedisError, R>) =>
  Effect.map(Effect.timeout(Effect.flip(effect), "8 seconds"), (error) => {
    assert.strictEqual(failureOf(error), "Connection", String(error.cause))
    return String(error.cause)
  })

/** A password whose effect does what the test says. */
const steered = () => {
  const state = { asked: 0, running: 0, hangs: false, fails: false }
  const password = Effect.suspend(() => {
    state.asked++
    if (state.fails) return Effect.fail("no token")
    if (!state.hangs) return Effect.succeed(Redacted.make("pw"))
    state.running++
    return Effect.onInterrupt(Effect.never, () => Effect.sync(() => state.running--))
  })
  return { state, password }
}

/** A server behind a proxy, found by its address or through two stand-in Sentinels. */
const found = (by: string) =>
  Effect.gen(function*() {
    const server = yield* Server.start({ password: "pw" })
    const proxy = yield* Proxy.start(server.port)
    const sentinels = by === "address" ? [] : yield* Effect.forEach([1, 2], () => Sentinel.standIn(proxy.port))
    const where: IoRedis.Options = by === "address"
      ? { url: `redis://127.0.0.1:${proxy.port}` }
      : { ioredis: { name: "mymaster", sentinels: sentinels.map(({ address }) => address) } }
    return { server, proxy, sentinels, where }
  })

describe("a password that is an effect", () => {
  it.live.each(["address", "Sentinel"])(
    "and hangs bounds every command of a server that is found by %s, is told, and is asked for again",
    (by) =>
      Effect.gen(function*() {
        const { proxy, where } = yield* found(by)
        const { password, state } = steered()
        const lines: Array<string> = []
        yield* Effect.gen(function*() {
          yield* send
          yield* reserve
          state.hangs = true
          yield* proxy.cut()
          yield* said(lines, /Cannot reconnect to .*: the effect that gives the password took longer than 1000 ms/)
          yield* failsAsConnection(send)
          yield* failsAsConnection(reserve)
          // Those that were given up do not go on.
          assert.isAtMost(state.running, 1)
          state.hangs = false
          yield* works("a command", send)
          yield* works("a blocking connection", reserve)
        }).pipe(
          Effect.provide(Layer.provideMerge(IoRedis.layerOptions({ ...times, ...where, password }), recording(lines)))
        )
        assert.strictEqual(lines.length, 3, lines.join("\n"))
      })
  )

  it.live.each(["address", "Sentinel"])(
    "and fails is a failure that passes to commands that wait for it, of a server that is found by %s",
    (by) =>
      Effect.gen(function*() {
        const { proxy, where } = yield* found(by)
        const { password, state } = steered()
        yield* Effect.gen(function*() {
          yield* send
          state.fails = true
          yield* proxy.cut()
          let told = ""
          // The first ones may be refused by the loss itself.
          for (let attempt = 0; attempt < 20 && !told.includes("password"); attempt++) {
            told = yield* failsAsConnection(send)
          }
          assert.include(told, "Connection is closed: the effect that gives the password failed")
          state.fails = false
          yield* works("a command", send)
        }).pipe(Effect.provide(IoRedis.layerOptions({ ...times, ...where, password })))
      })
  )

  it.live.each(["address", "Sentinel"])(
    "is interrupted by the end of the layer, of a server that is found by %s",
    (by) =>
      Effect.gen(function*() {
        const { proxy, where } = yield* found(by)
        const { password, state } = steered()
        const fiber = yield* Effect.gen(function*() {
          yield* send
          state.hangs = true
          yield* proxy.cut()
          return yield* Effect.never
        }).pipe(
          Effect.provide(IoRedis.layerOptions({ ...times, ...where, connectTimeout: "1 minute", password })),
          Effect.forkChild
        )
        yield* until("it is asked for", Effect.sync(() => state.running === 1))
        yield* Fiber.interrupt(fiber)
        yield* until("it is interrupted", Effect.sync(() => state.running === 0))
      })
  )

  it.live("is asked for by a new client after ioredis has ended the one before", () =>
    Effect.gen(function*() {
      const { proxy, sentinels, where } = yield* found("Sentinel")
      const { password, state } = steered()
      yield* Effect.gen(function*() {
        const { client: first } = yield* IoRedis.IoRedis
        const before = state.asked
        yield* Effect.forEach(sentinels, (sentinel) => sentinel.behave("hangs up"))
        yield* proxy.cut()
        yield* until("the first client has ended", Effect.sync(() => first.status === "end"))
        yield* Effect.forEach(sentinels, (sentinel) => sentinel.behave("answers"))
        yield* works("a command", send)
        assert.isAbove(state.asked, before)
        const after = state.asked
        const { client, use } = yield* IoRedis.IoRedis
        assert.notStrictEqual(client, first)
        yield* use((client) => client.quit())
        yield* works("a command", send)
        assert.isAbove(state.asked, after)
      }).pipe(Effect.provide(IoRedis.layerOptions({ ...times, ...where, password })))
    }))

  it.live("and is slow leaves the Sentinels the time to answer", () =>
    Effect.gen(function*() {
      const { where } = yield* found("Sentinel")
      const password = Effect.delay(Effect.succeed(Redacted.make("pw")), "300 millis")
      assert.strictEqual(yield* Effect.provide(send, IoRedis.layerOptions({ ...times, ...where, password })), "PONG")
    }))
})

describe("the log of an outage", () => {
  const outage = (
    options: (server: Server.Server, proxy: Proxy.Proxy) => IoRedis.Options,
    during: (world: {
      readonly server: Server.Server
      readonly proxy: Proxy.Proxy
      readonly lines: Array<string>
    }) => Effect.Effect<void, unknown, Redis.Redis | Scope.Scope>
  ) =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      const proxy = yield* Proxy.start(server.port)
      const lines: Array<string> = []
      yield* Effect.gen(function*() {
        yield* during({ server, proxy, lines })
        yield* works("a command", send)
        yield* said(lines, /^Reconnected to/)
      }).pipe(
        Effect.scoped,
        Effect.provide(Layer.provideMerge(IoRedis.layerOptions(options(server, proxy)), recording(lines)))
      )
      return lines
    })

  it.live("has one line for the loss and one for the return, with subscriptions beside the shared connection", () =>
    Effect.gen(function*() {
      const lines = yield* outage(
        (_, proxy) => ({ ...times, url: `redis://127.0.0.1:${proxy.port}` }),
        ({ proxy, server }) =>
          Effect.gen(function*() {
            const redis = yield* Redis.Redis
            const heard = Effect.map(server.cli("PUBSUB", "NUMSUB", "a", "b"), (reply) => String(reply) === "a,1,b,1")
            yield* redis.subscribe("a")
            yield* redis.subscribe("b")
            yield* until("both listen", heard)
            yield* proxy.refuse
            yield* proxy.cut()
            for (let attempt = 0; attempt < 5; attempt++) yield* failsAsConnection(send)
            yield* proxy.resume
            yield* until("both listen again", heard)
          })
      )
      assert.strictEqual(lines.length, 2, lines.join("\n"))
    }))

  it.live("says that the server is full", () =>
    Effect.gen(function*() {
      const lines = yield* outage((server) => ({ ...times, url: server.url }), ({ lines, server }) =>
        Effect.gen(function*() {
          const admin = new RespConnection(server.port)
          yield* Effect.promise(async () => {
            await admin.send("CONFIG", "SET", "maxclients", "1")
            await admin.send("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
          })
          yield* said(lines, /Cannot reconnect to .*: ERR max number of clients/)
          yield* failsAsConnection(send)
          yield* Effect.promise(() =>
            admin.send("CONFIG", "SET", "maxclients", "100")
          )
          admin.close()
        }))
      assert.strictEqual(lines.length, 3, lines.join("\n"))
    }))

  it.live("says nothing between the loss and the return when a TLS port is only away", () =>
    Effect.gen(function*() {
      const server = yield* Server.start({ tls: true })
      const proxy = yield* Proxy.start(Number(new URL(server.tls!.url).port))
      const lines: Array<string> = []
      yield* Effect.gen(function*() {
        yield* send
        yield* proxy.refuse
        yield* proxy.cut()
        for (let attempt = 0; attempt < 5; attempt++) yield* failsAsConnection(send)
        yield* proxy.resume
        yield* works("a command", send)
        yield* said(lines, /^Reconnected to/)
      }).pipe(
        Effect.provide(
          Layer.provideMerge(
            IoRedis.layerOptions({
              ...times,
              url: `rediss://127.0.0.1:${proxy.port}`,
              ioredis: { tls: { rejectUnauthorized: false } }
            }),
            recording(lines)
          )
        )
      )
      assert.strictEqual(lines.length, 2, lines.join("\n"))
    }))
})

describe("a Connector of the user's own", () => {
  it.live("that throws while it is made for a new client does not end the process, and is made again", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      let throws = false
      class Connector extends AbstractConnector {
        constructor() {
          super(100)
          if (throws) throw new Error("no region")
        }
        override connect() {
          const socket = Net.connect(server.port, "127.0.0.1")
          this.stream = socket
          return Promise.resolve(socket)
        }
      }
      const lines: Array<string> = []
      yield* Effect.gen(function*() {
        const { use } = yield* IoRedis.IoRedis
        throws = true
        yield* use((client) => client.quit())
        yield* said(lines, /Cannot reconnect to .*: no region/)
        yield* failsAsConnection(send)
        throws = false
        yield* works("a command", send)
        yield* said(lines, /^Reconnected to/)
      }).pipe(
        Effect.provide(Layer.provideMerge(IoRedis.layerOptions({ ...times, ioredis: { Connector } }), recording(lines)))
      )
    }))
})
