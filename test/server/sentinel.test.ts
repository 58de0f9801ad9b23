import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import { AbstractConnector, Redis as Client } from "ioredis"
import * as Net from "node:net"
import { makeClient, open } from "../../src/internal/ioredis/client.ts"
import { destroy } from "../../src/internal/ioredis/watchdog.ts"
import { failureOf } from "../../src/internal/redis/failure.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as Redis from "../../src/Redis.ts"
import { recording } from "../support/logs.ts"
import * as Proxy from "../support/proxy.ts"
import * as Server from "../support/redisServer.ts"
import * as Sentinel from "../support/sentinel.ts"
import * as Trouble from "../support/troubleWorld.ts"
import { until } from "../support/until.ts"

const name = "mymaster"

/** Times short enough for a test and long enough for a busy machine: a Sentinel of three has 375 ms. */
const times: IoRedis.Options = { connectTimeout: "1500 millis", replyTimeout: "1500 millis", blockGrace: "500 millis" }

/** A server behind a proxy, stand-in Sentinels that tell the proxy's address, and a layer that asks them. */
const setup = (count: number, options: IoRedis.IoRedisOptions = {}) =>
  Effect.gen(function*() {
    const server = yield* Server.start()
    const proxy = yield* Proxy.start(server.port)
    const sentinels = yield* Effect.forEach(Array.from({ length: count }), () => Sentinel.standIn(proxy.port))
    const lines: Array<string> = []
    const logger = recording(lines)
    const layer = IoRedis.layerOptions({
      ...times,
      ioredis: { name, sentinels: sentinels.map(({ address }) => address), ...options }
    })
    return { server, proxy, sentinels, lines, layer: Layer.provideMerge(layer, logger) }
  })

const each = (
  sentinels: ReadonlyArray<Sentinel.Sentinel>,
  behaviour: Sentinel.Behaviour
) => Effect.forEach(sentinels, (sentinel) => sentinel.behave(behaviour), { discard: true })

const send = Effect.flatMap(Redis.Redis, (redis) => redis.send("PING"))
const read = Effect.scoped(
  Effect.flatMap(
    Redis.Redis,
    (redis) =>
      Effect.flatMap(redis.reserve, (connection) => connection.send("XREAD", "BLOCK", "10", "STREAMS", "s", "$"))
  )
)

/** It ends one way or the other, within far more than any limit that is set here. */
const settles = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.timeout(Effect.exit(effect), "20 seconds")

const works = <A, R>(what: string, effect: Effect.Effect<A, Redis.RedisError, R>) =>
  until(`${what} works again`, Effect.map(Effect.orDie(settles(effect)), Exit.isSuccess))

const allWork = Effect.andThen(works("a command", send), works("a blocking connection", read))

const failsAsConnection = <A, R>(effect: Effect.Effect<A, Redis.RedisError, R>) =>
  Effect.gen(function*() {
    const error = yield* Effect.timeout(Effect.flip(effect), "20 seconds")
    assert.strictEqual(failureOf(error), "Connection")
  })

const atTheEnd = Effect.map(IoRedis.IoRedis, ({ client }) => client.status === "end")

describe("with a Sentinel that is silent", () => {
  it.live("a process starts all the same, and opens blocking connections and subscriptions", () =>
    Effect.gen(function*() {
      const { layer, sentinels, server } = yield* setup(3)
      yield* sentinels[0]!.behave("silent")
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        assert.strictEqual(yield* send, "PONG")
        assert.isNull(yield* read)
        yield* redis.subscribe("c")
        yield* until("it listens", Effect.map(server.cli("PUBLISH", "c", "m"), (count) => count === 1))
      }).pipe(Effect.scoped, Effect.provide(layer))
    }))

  it.live("a process starts even when only the last of the Sentinels answers", () =>
    Effect.gen(function*() {
      const { layer, sentinels } = yield* setup(4)
      yield* each(sentinels.slice(0, 3), "silent")
      assert.strictEqual(yield* Effect.provide(send, layer), "PONG")
    }))

  it.live("a process asks the one that answered last first, whenever it connects", () =>
    Effect.gen(function*() {
      const { layer, proxy, sentinels: [silent, good] } = yield* setup(2)
      yield* silent!.behave("silent")
      yield* Effect.gen(function*() {
        assert.strictEqual(yield* send, "PONG")
        for (let loss = 0; loss < 3; loss++) {
          yield* proxy.cut()
          yield* allWork
        }
        assert.strictEqual(silent!.connections(), 1, "the silent one was asked once")
        assert.isAtLeast(good!.connections(), 4)
      }).pipe(Effect.provide(layer))
    }))

  it.live("a process that loses its server finds it again, however often the silent one changes", () =>
    Effect.gen(function*() {
      const { layer, proxy, sentinels } = yield* setup(3)
      yield* Effect.gen(function*() {
        for (const silent of sentinels) {
          yield* each(sentinels, "answers")
          yield* silent.behave("silent")
          yield* proxy.cut()
          yield* allWork
        }
      }).pipe(Effect.provide(layer))
    }))
})

describe("with a Sentinel that does not know of a failover", () => {
  it.live.each(["is frozen", "refuses connections"])(
    "a process whose old server %s asks another Sentinel",
    (state) =>
      Effect.gen(function*() {
        const { layer, proxy, sentinels } = yield* setup(3)
        const frozen = yield* Sentinel.standIn(0)
        yield* frozen.behave("silent")
        yield* Effect.gen(function*() {
          for (const stale of sentinels) {
            yield* Effect.forEach(sentinels, (sentinel) => sentinel.names(proxy.port), { discard: true })
            yield* stale.names(state === "is frozen" ? frozen.port : 1)
            yield* proxy.cut()
            yield* allWork
          }
        }).pipe(Effect.provide(layer))
      })
  )
})

describe("a client that ioredis has ended", () => {
  /** The connection is lost while the Sentinel that is asked says nothing, and another one announces a switch. */
  const announcedWhileAsked = ({ proxy, sentinels }: Effect.Success<ReturnType<typeof setup>>) =>
    Effect.gen(function*() {
      const [first, second] = sentinels
      yield* until("the detectors listen", Effect.sync(() => second!.listening() > 0))
      // Both fall silent: which one is asked is not for the test to know.
      const before = first!.connections() + second!.connections()
      yield* each(sentinels, "silent")
      yield* proxy.cut()
      yield* until("a Sentinel is asked", Effect.sync(() => first!.connections() + second!.connections() > before))
      yield* first!.announce
      yield* second!.announce
    })

  it.live("by a switch announced while a Sentinel is asked is followed by another client", () =>
    Effect.gen(function*() {
      const world = yield* setup(2, { failoverDetector: true })
      yield* Effect.gen(function*() {
        assert.strictEqual(yield* send, "PONG")
        yield* announcedWhileAsked(world)
        yield* settles(send)
        yield* each(world.sentinels, "answers")
        yield* allWork
      }).pipe(Effect.provide(world.layer))
    }))

  it.live("by a switch announced while a Sentinel is asked is followed by another one that is subscribed", () =>
    Effect.gen(function*() {
      const world = yield* setup(2, { failoverDetector: true })
      yield* Effect.gen(function*() {
        const messages = yield* Effect.flatMap(Redis.Redis, (redis) => redis.subscribe("c"))
        const published = Effect.map(world.server.cli("PUBLISH", "c", "m"), (count) => count === 1)
        yield* until("it listens", published)
        yield* Queue.take(messages)
        yield* announcedWhileAsked(world)
        yield* each(world.sentinels, "answers")
        yield* until("it listens again", published)
        assert.strictEqual((yield* Queue.take(messages)).message, "m")
      }).pipe(Effect.scoped, Effect.provide(world.layer))
    }))

  it.live("because sentinelRetryStrategy gave up is followed by another client", () =>
    Effect.gen(function*() {
      const { layer, proxy, sentinels } = yield* setup(2, { sentinelRetryStrategy: () => null })
      yield* Effect.gen(function*() {
        const { client: first } = yield* IoRedis.IoRedis
        yield* each(sentinels, "hangs up")
        yield* proxy.cut()
        yield* until("the first client has ended", Effect.sync(() => first.status === "end"))
        yield* failsAsConnection(send)
        yield* failsAsConnection(read)
        yield* each(sentinels, "answers")
        yield* allWork
        const { client, use } = yield* IoRedis.IoRedis
        assert.notStrictEqual(client, first)
        assert.strictEqual(yield* use((client) => client.ping()), "PONG")
      }).pipe(Effect.provide(layer))
    }))

  it.live("because a user called quit or disconnect is followed by another client", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      yield* Effect.gen(function*() {
        const ioredis = yield* IoRedis.IoRedis
        yield* ioredis.use((client) => client.quit())
        yield* works("a command", send)
        const { client } = ioredis
        client.disconnect()
        yield* until("it has ended", Effect.sync(() => client.status === "end"))
        yield* works("a command", send)
        assert.isFalse(yield* atTheEnd)
      }).pipe(Effect.provide(IoRedis.layerOptions({ url: server.url, ...times })))
    }))

  it.live("by a Connector of the user's own that throws or never comes back is followed by another client", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      const proxy = yield* Proxy.start(server.port)
      let mode: "connects" | "rejects" | "throws" | "hangs" = "connects"
      class Connector extends AbstractConnector {
        constructor() {
          super(100)
        }
        connect(): Promise<Net.Socket> {
          if (mode === "throws") throw new Error("no idea")
          if (mode === "rejects") return Promise.reject(new Error("no idea"))
          if (mode === "hangs") return new Promise(() => {})
          const socket = Net.connect(proxy.port, "127.0.0.1")
          this.stream = socket
          return Promise.resolve(socket)
        }
      }
      const layer = IoRedis.layerOptions({ ...times, ioredis: { Connector } })
      yield* Effect.gen(function*() {
        for (const failing of ["rejects", "throws", "hangs"] as const) {
          mode = failing
          yield* proxy.cut()
          yield* failsAsConnection(read)
          // The first one may be refused by the loss itself, the second one waits for the connector.
          yield* failsAsConnection(send)
          yield* failsAsConnection(send)
          mode = "connects"
          yield* allWork
        }
      }).pipe(Effect.provide(layer))
    }))
})

describe("while no Sentinel says anything", () => {
  it.live("every command fails within a bound, and all works again afterwards", () =>
    Effect.gen(function*() {
      const { layer, proxy, sentinels } = yield* setup(3)
      yield* Effect.gen(function*() {
        yield* each(sentinels, "silent")
        yield* proxy.cut()
        // From the moment that a command is given: in the pause between two attempts as well as in one.
        for (let round = 0; round < 3; round++) {
          const sends = yield* Effect.forkChild(Effect.forEach(
            Array.from({ length: 100 }),
            () => Effect.exit(failsAsConnection(send)),
            { concurrency: "unbounded" }
          ))
          yield* failsAsConnection(read)
          const direct = yield* settles(
            Effect.flatMap(IoRedis.IoRedis, ({ use }) => use((client) => client.ping()))
          )
          assert.isTrue(Exit.isFailure(direct))
          assert.isTrue((yield* Fiber.join(sends)).every(Exit.isSuccess))
        }
        yield* each(sentinels, "answers")
        yield* allWork
      }).pipe(Effect.provide(layer))
    }), 60_000)

  it.live("a process that starts says that they did not answer", () =>
    Effect.gen(function*() {
      const { layer, sentinels } = yield* setup(2)
      yield* each(sentinels, "silent")
      const error = yield* Effect.flip(Effect.provide(send, layer))
      assert.instanceOf(error, IoRedis.RedisStartError)
      assert.include(error.message, `no Sentinel gave the address of "${name}"`)
      assert.include(error.message, `127.0.0.1:${sentinels[1]!.port}: no answer within 500 ms`)
    }))

  it.live("a process that starts with the options of an existing client says so at once when they hang up", () =>
    Effect.gen(function*() {
      const { sentinels } = yield* setup(2)
      yield* each(sentinels, "hangs up")
      const client = new Client({ name, sentinels: sentinels.map(({ address }) => address), lazyConnect: true })
      const error = yield* Effect.flip(
        Effect.provide(send, IoRedis.layerClient(client, { connectTimeout: "1 minute" }))
      ).pipe(Effect.timeout("20 seconds"))
      assert.include(error.message, `no Sentinel gave the address of "${name}"`)
      assert.strictEqual(sentinels[0]!.connections(), 1)
    }))

  it.live("a process that starts with a wrong name of the master says so", () =>
    Effect.gen(function*() {
      const { layer, sentinels } = yield* setup(2)
      yield* each(sentinels, "knows nothing")
      const error = yield* Effect.flip(Effect.provide(send, layer))
      assert.instanceOf(error, IoRedis.RedisStartError)
      assert.match(error.message, /no Sentinel gave the address of "mymaster" .*knows no master of that name/)
      assert.strictEqual(error.reason._tag, "UnknownMaster")
      assert.include(error.message, "check that ioredis.name is the name in `sentinel monitor <name>`")
    }))
})

describe("with three real Sentinels", () => {
  it.live(
    "a worker and a client go on after the master was killed and the first Sentinel was frozen",
    () =>
      Effect.gen(function*() {
        const { master, replica, sentinels } = yield* Sentinel.watched
        const [frozen, ...others] = sentinels

        const redis: IoRedis.Options = {
          connectTimeout: "4 seconds",
          ioredis: { name, sentinels: sentinels.map(({ host, port }) => ({ host, port })), failoverDetector: true }
        }
        // What is asked of the server is asked of the one that becomes the master.
        const world = yield* Trouble.make({ server: replica })
        const process = yield* world.startWorker({ consumers: 2 }, redis)
        const client = yield* world.startClient(redis)
        const load = yield* Trouble.startLoad(client)
        yield* Trouble.handledMore(world)

        yield* frozen!.kill("SIGSTOP")
        yield* master.kill()
        yield* until(
          "another master is chosen",
          Effect.map(
            others[0]!.cli("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name),
            (address) => String(address) === `${replica.host},${replica.port}`
          ),
          20_000
        )
        yield* Trouble.recovered(process)
        yield* Trouble.handledMore(world)
        // One that starts now has the frozen Sentinel first in its list.
        const next = yield* world.startWorker({}, redis)
        yield* load.stop
        yield* Trouble.nothingLost(world, load.accepted)
        assert.deepStrictEqual(world.logged(/^Cannot reconnect to/), [])
        yield* next.stop
        yield* frozen!.kill("SIGCONT")
      }),
    60_000
  )
})

describe("the log", () => {
  it.live("has a loss and a return, and nothing between, when the server is away and all Sentinels are well", () =>
    Effect.gen(function*() {
      const { layer, lines, proxy, sentinels } = yield* setup(3)
      yield* Effect.gen(function*() {
        const asked = () => sentinels.reduce((sum, sentinel) => sum + sentinel.connections(), 0)
        const enough = asked() + 5
        yield* proxy.refuse
        yield* proxy.cut()
        yield* until("they are asked again and again", Effect.map(Effect.exit(send), () => asked() >= enough))
        yield* proxy.resume
        yield* allWork
        yield* until("the return is logged", Effect.sync(() => lines.some((line) => line.startsWith("Reconnected to"))))
      }).pipe(Effect.provide(layer))
      assert.strictEqual(lines.length, 2, lines.join("\n"))
    }))

  it.live.each([
    { strategy: "no sentinelRetryStrategy", options: {} },
    { strategy: "a sentinelRetryStrategy that asks without end", options: { sentinelRetryStrategy: () => 10 } }
  ])(
    "has a loss and a return, and nothing between, when all Sentinels are away too, with $strategy",
    ({ options }) =>
      Effect.gen(function*() {
        const { layer, lines, proxy, sentinels } = yield* setup(3, options)
        const asked = () => sentinels.reduce((sum, sentinel) => sum + sentinel.connections(), 0)
        yield* Effect.gen(function*() {
          const enough = asked() + 12
          yield* each(sentinels, "hangs up")
          yield* proxy.cut()
          yield* until("each is asked several times", Effect.map(Effect.exit(send), () => asked() >= enough))
          yield* each(sentinels, "answers")
          yield* allWork
          yield* until(
            "the return is logged",
            Effect.sync(() => lines.some((line) => line.startsWith("Reconnected to")))
          )
        }).pipe(Effect.provide(layer))
        assert.strictEqual(lines.length, 2, lines.join("\n"))
      })
  )

  it.live("has one line more when no Sentinel knows the master any longer", () =>
    Effect.gen(function*() {
      const { layer, lines, proxy, sentinels } = yield* setup(2)
      yield* Effect.gen(function*() {
        yield* each(sentinels, "knows nothing")
        yield* proxy.cut()
        for (let attempt = 0; attempt < 5; attempt++) yield* Effect.ignore(send)
        yield* each(sentinels, "answers")
        yield* allWork
        yield* until("the return is logged", Effect.sync(() => lines.some((line) => line.startsWith("Reconnected to"))))
      }).pipe(Effect.provide(layer))
      assert.strictEqual(lines.length, 3, lines.join("\n"))
      assert.include(lines[1]!, ": no Sentinel gave the address")
    }))
})

describe("a process that was blocked for longer than its limits", () => {
  const block = (millis: number) =>
    Effect.callback<void>((resume) => {
      // Before the sockets are read again, and after what was sent has left.
      process.nextTick(() =>
        process.nextTick(() => {
          const busy = performance.now() + millis
          while (performance.now() < busy);
          resume(Effect.void)
        })
      )
    })

  // Without a proxy, which would be blocked as well.
  const blocked = (options: IoRedis.Options, test: Effect.Effect<void, unknown, Redis.Redis | IoRedis.IoRedis>) =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      yield* Effect.provide(test, IoRedis.layerOptions({ url: server.url, ...options }))
    })

  it.live("takes the replies to its sends that lie in the socket", () =>
    blocked(
      { replyTimeout: "200 millis" },
      Effect.gen(function*() {
        const sends = yield* Effect.forkChild(
          Effect.forEach(Array.from({ length: 50 }), () => send, { concurrency: "unbounded" }),
          { startImmediately: true }
        )
        yield* block(600)
        assert.deepStrictEqual(new Set(yield* Fiber.join(sends)), new Set(["PONG"]))
      })
    ))

  it.live("takes the replies to its calls of ioredis that lie in the socket", () =>
    blocked(
      { replyTimeout: "200 millis" },
      Effect.gen(function*() {
        const { use } = yield* IoRedis.IoRedis
        const call = yield* Effect.forkChild(use((client) => client.ping()), { startImmediately: true })
        yield* block(600)
        assert.strictEqual(yield* Fiber.join(call), "PONG")
      })
    ))

  it.live("goes on opening a connection, whose server has answered in the meantime", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      const opening = yield* Effect.forkChild(
        open({
          client: (onError) =>
            makeClient(
              { host: server.host, port: server.port, lazyConnect: true, replyMapping: "legacy" },
              { limit: 1_000, keepAlive: undefined, patient: () => false, warn: () => {} },
              onError
            ),
          within: 1_000
        }),
        { startImmediately: true }
      )
      yield* block(2_500)
      const client = yield* Fiber.join(opening)
      assert.strictEqual(client.status, "ready")
      destroy(client)
    }))
})
