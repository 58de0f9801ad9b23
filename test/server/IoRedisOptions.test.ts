import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { AbstractConnector, Redis as Client, type RedisOptions } from "ioredis"
import * as Net from "node:net"
import { join } from "node:path"
import { parseRedisUrl } from "../../src/internal/redis/url.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as Redis from "../../src/Redis.ts"
import * as Settings from "../../src/Settings.ts"
import { recording } from "../support/logs.ts"
import * as Server from "../support/redisServer.ts"
import { RespConnection } from "../support/resp.ts"
import { until } from "../support/until.ts"

const failureOf = (options: IoRedis.Options) =>
  Effect.provide(Redis.Redis, IoRedis.layerOptions({ connectTimeout: "10 seconds", ...options })).pipe(
    Effect.catchTag("InvalidOption", Effect.die),
    Effect.flip
  )

const clientList = (server: Server.Server) => Effect.map(server.cli("CLIENT", "LIST"), String)

/** A port that answers each command of the handler's kind, and each connection as it is opened. */
const listener = (handle: (socket: Net.Socket) => void) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly port: number; readonly server: Net.Server; readonly sockets: Set<Net.Socket> }>(
      (resume) => {
        const sockets = new Set<Net.Socket>()
        const server = Net.createServer((socket) => {
          sockets.add(socket)
          socket.on("error", () => {})
          socket.on("close", () => sockets.delete(socket))
          handle(socket)
        })
        server.listen(0, "127.0.0.1", () => {
          const address = server.address()
          resume(
            Effect.succeed({
              port: typeof address === "object" && address !== null ? address.port : 0,
              server,
              sockets
            })
          )
        })
      }
    ),
    ({ server, sockets }) =>
      Effect.sync(() => {
        server.close()
        for (const socket of sockets) socket.destroy()
      })
  )

/** A stand-in for a Sentinel, which knows one master. */
const sentinel = (master: string, portOf: () => number | undefined) =>
  listener((socket) => {
    socket.on("data", (data) => {
      const text = data.toString()
      // One reply for each command; each begins with the number of its parts.
      for (const command of text.split(/^(?=\*\d+\r$)/m)) {
        const asked = /get-master-addr-by-name\r\n\$\d+\r\n(.*)\r\n/i.exec(command)?.[1]
        if (asked === undefined) socket.write(/sentinels/i.test(command) ? "*0\r\n" : "+OK\r\n")
        else {
          const port = asked === master ? portOf() : undefined
          socket.write(
            port === undefined
              ? "*-1\r\n"
              : `*2\r\n$9\r\n127.0.0.1\r\n$${String(port).length}\r\n${port}\r\n`
          )
        }
      }
    })
  })

describe("options of an ioredis client in IoRedis.layerOptions", () => {
  it.live("reach the server, user, password and database that they name", () =>
    Effect.gen(function*() {
      const server = yield* Server.start({ config: ["user worker on >hunter2 ~* &* +@all"] })
      // Options of a program that has used ioredis before.
      const existing: RedisOptions = {
        host: "127.0.0.1",
        port: server.port,
        db: 3,
        username: "worker",
        password: "hunter2",
        family: 4,
        keepAlive: 10_000,
        noDelay: true,
        connectTimeout: 9_000,
        connectionName: "orders"
      }
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        const reserved = yield* redis.reserve
        yield* reserved.send("SET", "a", "1")
        const clients = (yield* clientList(server)).split("\n").filter((line) => line.includes("effect-redis-workers"))
        assert.isAtLeast(clients.length, 2)
        for (const client of clients) assert.match(client, / name=\S+:orders:.* db=3 .*user=worker/)
      }).pipe(Effect.scoped, Effect.provide(IoRedis.layerOptions({ ioredis: existing })))
    }))

  it.live("reach the unix socket that they name", () =>
    Effect.gen(function*() {
      const path = join("/tmp", `${Server.uniquePrefix()}.sock`)
      yield* Server.start({ config: [`unixsocket ${path}`] })
      const ping = Effect.flatMap(Redis.Redis, (redis) => redis.send("PING"))
      assert.strictEqual(yield* Effect.provide(ping, IoRedis.layerOptions({ ioredis: { path } })), "PONG")
    }))

  it.live("take what an absent port or database of the url leaves open", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      const layer = IoRedis.layerOptions({ url: "redis://127.0.0.1", ioredis: { port: server.port, db: 2 } })
      const list = yield* Effect.provide(Effect.andThen(Redis.Redis, clientList(server)), layer)
      assert.match(list, /effect-redis-workers.* db=2 /)
    }))

  const inert: ReadonlyArray<[string, RedisOptions, RegExp]> = [
    ["keyPrefix", { keyPrefix: "app:" }, /QUEUE_PREFIX/],
    [
      "maxRetriesPerRequest",
      { maxRetriesPerRequest: null, retryStrategy: () => 1 },
      /retryStrategy/
    ],
    ["maxRetriesPerRequest", { maxRetriesPerRequest: 20 }, /sent again/],
    ["commandTimeout", { commandTimeout: 500 }, /replyTimeout/],
    ["enableReadyCheck", { enableReadyCheck: true }, /comes back/],
    ["lazyConnect", { lazyConnect: false }, /when the layer is built/],
    ["scripts", { scripts: { f: { lua: "return 1", numberOfKeys: 0 } } }, /Redis\.script/],
    ["stringNumbers", { stringNumbers: true }, /one shape/],
    ["hots", { hots: "cache" } as RedisOptions, /no such option/],
    ["name", { name: "mymaster" }, /with sentinels only/],
    ["sentinelPassword", { sentinelPassword: "hunter2" }, /with sentinels only/]
  ]
  for (const [name, ioredis, advice] of inert) {
    it.live(`are refused by name when ${name} is ${String(Object.values(ioredis)[0])}, which has no meaning here`, () =>
      Effect.gen(function*() {
        const error = yield* failureOf({ ioredis })
        assert.strictEqual(error.reason._tag, "Unsupported")
        if (Object.values(ioredis)[0] !== null) assert.include(error.reason.message, name)
        assert.match(error.message, advice)
        assert.notInclude(error.message, "hunter2")
      }))
  }

  it.live("are refused all at once, each with the reason", () =>
    Effect.gen(function*() {
      const error = yield* failureOf({ ioredis: { keyPrefix: "a", socketTimeout: 5, host: "cache" } as RedisOptions })
      assert.match(error.message, /keyPrefix, socketTimeout .*keyPrefix: .*QUEUE_PREFIX.*socketTimeout: .*replyTimeout/)
      assert.notInclude(error.reason.message, "host")
    }))

  it.live("are taken when they say what holds anyway", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      const ioredis: RedisOptions = {
        port: server.port,
        host: "127.0.0.1",
        keyPrefix: "",
        lazyConnect: true,
        protocol: 2,
        enableReadyCheck: false,
        role: "master",
        maxRetriesPerRequest: undefined
      }
      yield* Effect.provide(Redis.Redis, IoRedis.layerOptions({ ioredis }))
    }))

  const contradictions: ReadonlyArray<[string, IoRedis.Options]> = [
    ["ioredis.host contradicts the url", { url: "redis://a:1", ioredis: { host: "b" } }],
    ["ioredis.port contradicts the url", { url: "redis://a:1", ioredis: { port: 2 } }],
    ["ioredis.db contradicts the url", { url: "redis://a/1", ioredis: { db: 2 } }],
    ["ioredis.username contradicts the url", { url: "redis://u:p@a", ioredis: { username: "v" } }],
    ["ioredis.username contradicts username", { username: "u", ioredis: { username: "v" } }],
    ["ioredis.password contradicts the url", { url: "redis://u:hunter2@a", ioredis: { password: "hunter3" } }],
    ["ioredis.password contradicts password", { password: Redacted.make("hunter2"), ioredis: { password: "hunter3" } }],
    [
      "ioredis.password contradicts password",
      { password: Effect.succeed(Redacted.make("hunter2")), ioredis: { password: "hunter2" } }
    ],
    ["ioredis.path contradicts the host", { url: "redis://a", ioredis: { path: "/a.sock" } }],
    ["ioredis.path contradicts the url", { url: "unix:///b.sock", ioredis: { path: "/a.sock" } }],
    ["ioredis.path contradicts ioredis.host", { ioredis: { path: "/a.sock", host: "a" } }],
    ["ioredis.sentinels contradicts", { ioredis: { sentinels: [{ host: "s" }], name: "m", host: "a" } }],
    ["ioredis.connectTimeout contradicts connectTimeout", { ioredis: { connectTimeout: 4_000 } }],
    ["ioredis.connectionName contradicts name", { name: "a", ioredis: { connectionName: "b" } }],
    ["ioredis.keepAlive contradicts", { keepAlive: false, ioredis: { keepAlive: 1000 } }],
    [
      "ioredis.enableTLSForSentinelMode: false contradicts",
      { url: "rediss://a", ioredis: { sentinels: [{ host: "s" }], name: "m", enableTLSForSentinelMode: false } }
    ]
  ]
  for (const [words, options] of contradictions) {
    it.live(`are refused where ${words} in ${Object.keys(options).join(" and ")}`, () =>
      Effect.gen(function*() {
        const error = yield* failureOf(options)
        assert.strictEqual(error.reason._tag, "Unsupported")
        assert.include(error.reason.message, words)
        assert.notInclude(error.message, "hunter")
      }))
  }

  it.live("ask a master that Sentinels name for TLS when the url does", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      const { port } = yield* sentinel("mymaster", () => server.port)
      const error = yield* failureOf({
        url: "rediss://any",
        connectTimeout: "1 second",
        ioredis: { sentinels: [{ host: "127.0.0.1", port }], name: "mymaster" }
      })
      // The server has no TLS there. In clear it would have worked, and the password would have been sent.
      assert.strictEqual(error.reason._tag, "Tls")
    }))
})

describe("a connector that cannot be made", () => {
  class Broken extends AbstractConnector {
    constructor() {
      super(0)
      throw new Error("no such region")
    }
    override connect() {
      return Promise.reject(new Error("never"))
    }
  }

  const cases: ReadonlyArray<[string, IoRedis.IoRedisOptions, RegExp]> = [
    [
      "Sentinels without the name of the master",
      { sentinels: [{ host: "127.0.0.1", port: 1 }] },
      /ioredis\.name is not set/
    ],
    ["no Sentinel at all", { sentinels: [], name: "mymaster" }, /ioredis\.sentinels is empty/],
    ["a Connector that throws", { Connector: Broken }, /no such region/],
    ["a port that no socket takes", { port: 70_000 }, /ioredis\.port is 70000/],
    ["a time to connect that is not a number", { connectTimeout: Number.NaN }, /ioredis\.connectTimeout is NaN/]
  ]
  for (const [name, ioredis, words] of cases) {
    it.live(`is a typed error of the start, with ${name}`, () =>
      Effect.gen(function*() {
        const error = yield* failureOf({ ioredis })
        assert.strictEqual(error._tag, "RedisStartError")
        assert.strictEqual(error.reason._tag, "Unsupported")
        assert.match(error.message, words)
      }))
  }
})

describe("Sentinels", () => {
  const start = (port: number, name: string): IoRedis.Options => ({
    connectTimeout: "1 second",
    ioredis: { sentinels: [{ host: "127.0.0.1", port }], name }
  })

  it.live("that do not know the master are distinguished from a firewall", () =>
    Effect.gen(function*() {
      const { port } = yield* sentinel("mymaster", () => 1)
      const error = yield* failureOf(start(port, "mymastr"))
      assert.strictEqual(error.reason._tag, "UnknownMaster")
      assert.match(
        error.message,
        /Sentinel's mymastr: no Sentinel gave the address of "mymastr" \(.*: knows no master of that name\)/
      )
      assert.notInclude(error.message, "firewall")
    }))

  it.live("that cannot be reached are distinguished from a silent server", () =>
    Effect.gen(function*() {
      const error = yield* failureOf(start(1, "mymaster"))
      assert.strictEqual(error.reason._tag, "Refused")
      assert.match(error.message, /no Sentinel gave the address of "mymaster" \(127.0.0.1:1: .*ECONNREFUSED/)
    }))

  it.live("that refuse the password are distinguished from a server that does", () =>
    Effect.gen(function*() {
      const { port } = yield* listener((socket) => {
        socket.on("data", (data) => {
          for (const _ of data.toString().matchAll(/^\*/gm)) socket.write("-NOAUTH Authentication required.\r\n")
        })
      })
      const error = yield* failureOf(start(port, "mymaster"))
      assert.strictEqual(error.reason._tag, "WrongPassword")
      assert.match(error.message, /sentinelPassword/)
    }))

  it.live("that do not know the master at first do not fail a start that finds it then", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      let asked = 0
      const { port } = yield* sentinel("mymaster", () => asked++ < 2 ? undefined : server.port)
      yield* Effect.provide(
        Redis.Redis,
        IoRedis.layerOptions({ ...start(port, "mymaster"), connectTimeout: "8 seconds" })
      )
      assert.isAbove(asked, 2)
    }))

  it.live("that are well are not said to be unreachable before a connection is back", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      const lines: Array<string> = []
      const { port } = yield* sentinel("mymaster", () => server.port)
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        yield* redis.send("PING")
        yield* server.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        yield* until("it is back", Effect.sync(() => lines.some((line) => line.startsWith("Reconnected to"))))
      }).pipe(Effect.provide(Layer.provideMerge(IoRedis.layerOptions(start(port, "mymaster")), recording(lines))))
      assert.deepStrictEqual(lines.filter((line) => line.startsWith("Cannot reconnect to")), [])
    }))
})

describe("a connection that comes back", () => {
  it.live("is not back while its database is refused, and writes into no other", () =>
    Effect.gen(function*() {
      const server = yield* Server.start({ config: ["user worker on >pw ~* &* +@all"] })
      const lines: Array<string> = []
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        yield* redis.send("SET", "a", "1")
        yield* server.cli("ACL", "SETUSER", "worker", "-select")
        yield* server.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        yield* until("it is told", Effect.sync(() => lines.some((line) => /Cannot reconnect to .*: NOPERM/.test(line))))
        assert.isTrue((yield* Effect.result(redis.send("SET", "b", "1")))._tag === "Failure")
        assert.deepStrictEqual(lines.filter((line) => line.startsWith("Reconnected to")), [])
        yield* server.cli("ACL", "SETUSER", "worker", "+select")
        yield* until(
          "it works again, in its database",
          Effect.map(Effect.result(redis.send("GET", "a")), (got) => got._tag === "Success" && got.success === "1")
        )
        assert.strictEqual(yield* server.cli("DBSIZE"), 0)
      }).pipe(
        Effect.provide(
          Layer.provideMerge(
            IoRedis.layerOptions({ url: `${server.url}/1`, username: "worker", password: "pw" }),
            recording(lines)
          )
        )
      )
    }))
})

describe("a server that takes no connection", () => {
  it.live("is said to be full when maxclients is reached", () =>
    Effect.gen(function*() {
      const server = yield* Server.start({ config: ["maxclients 2"] })
      const others = [new RespConnection(server.port), new RespConnection(server.port)]
      yield* Effect.addFinalizer(() => Effect.sync(() => others.forEach((other) => other.close())))
      yield* Effect.promise(() => Promise.all(others.map((other) => other.send("PING"))))
      for (
        const options of [{}, { ioredis: { db: 1 } }, { password: "pw" }, { ioredis: { disableClientInfo: true } }]
      ) {
        const error = yield* failureOf({ url: server.url, ...options })
        assert.strictEqual(error.reason._tag, "TooManyClients", error.message)
        assert.match(error.message, /max number of clients.*maxclients/)
        assert.notInclude(error.message, "TLS")
      }
    }))

  it.live("is said to be full by a connection of the pool, as a failure that passes", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        yield* server.cli("CONFIG", "SET", "maxclients", "1")
        const error = yield* Effect.flip(Effect.scoped(redis.reserve))
        assert.match(String(error.cause), /max number of clients/)
      }).pipe(Effect.provide(IoRedis.layerOptions({ url: server.url })))
    }))

  it.live("is said to be in protected mode", () =>
    Effect.gen(function*() {
      const { port } = yield* listener((socket) =>
        socket.end("-DENIED Redis is running in protected mode because protected mode is enabled\r\n")
      )
      const error = yield* failureOf({ url: `redis://127.0.0.1:${port}` })
      assert.strictEqual(error.reason._tag, "NoPermission")
      assert.match(error.message, /protected mode/)
    }))
})

describe("what ioredis writes to the console", () => {
  /** Lines of the console while the effect runs. */
  const consoled = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.suspend(() => {
      const lines: Array<string> = []
      const { warn } = console
      console.warn = (...args: ReadonlyArray<unknown>) => void lines.push(args.join(" "))
      return Effect.as(Effect.ensuring(effect, Effect.sync(() => void (console.warn = warn))), lines)
    })

  it.live("goes to the program's logger, once, when the server wants no password", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      const lines: Array<string> = []
      const console = yield* consoled(
        Effect.gen(function*() {
          const redis = yield* Redis.Redis
          yield* Effect.scoped(Effect.flatMap(redis.reserve, (reserved) => reserved.send("PING")))
        }).pipe(
          Effect.provide(
            Layer.provideMerge(IoRedis.layerOptions({ url: server.url, password: "hunter2" }), recording(lines))
          )
        )
      )
      assert.deepStrictEqual(console, [])
      assert.deepStrictEqual(lines, [
        "The Redis server requires no password, but one was given: remove the password, or set one on the server"
      ])
    }))

  it.live("goes to the program's logger when a client that exists has the password", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      const lines: Array<string> = []
      const client = new Client({ host: server.host, port: server.port, password: "hunter2", lazyConnect: true })
      const layer = Layer.provideMerge(IoRedis.layerClient(client), recording(lines))
      assert.deepStrictEqual(yield* consoled(Effect.provide(Redis.Redis, layer)), [])
      assert.strictEqual(lines.length, 1)
    }))

  it.live("goes to the program's logger when a Sentinel wants no password", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      const lines: Array<string> = []
      const { port } = yield* listener((socket) => {
        socket.on("data", (data) => {
          for (const command of data.toString().split(/^(?=\*\d+\r$)/m)) {
            if (/auth\r/i.test(command)) {
              socket.write("-ERR AUTH <password> called without any password configured for the default user.\r\n")
            } else if (/get-master/i.test(command)) {
              socket.write(`*2\r\n$9\r\n127.0.0.1\r\n$${String(server.port).length}\r\n${server.port}\r\n`)
            } else socket.write(/sentinels/i.test(command) ? "*0\r\n" : "+OK\r\n")
          }
        })
      })
      const ioredis = { sentinels: [{ host: "127.0.0.1", port }], name: "mymaster", sentinelPassword: "hunter2" }
      const layer = Layer.provideMerge(IoRedis.layerOptions({ ioredis }), recording(lines))
      assert.deepStrictEqual(yield* consoled(Effect.provide(Redis.Redis, layer)), [])
      assert.deepStrictEqual(lines, [
        "A Sentinel requires no password, but one was given: remove the password, or set one on the server"
      ])
    }))
})

describe("the address in REDIS_URL", () => {
  const socket = (url: string) => {
    const parsed = parseRedisUrl(url)
    return Result.isSuccess(parsed) ? parsed.success : parsed.failure
  }

  it.each([
    ["unix:///run/redis.sock", { path: "/run/redis.sock" }],
    ["unix:///run/redis.sock?db=2", { path: "/run/redis.sock", db: 2, url: "unix:///run/redis.sock?db=2" }],
    ["redis+unix:///run/redis.sock", { path: "/run/redis.sock", url: "unix:///run/redis.sock" }],
    ["redis+socket:///run/redis.sock?virtual_host=3", { path: "/run/redis.sock", db: 3 }],
    ["/run/redis.sock", { path: "/run/redis.sock", url: "unix:///run/redis.sock" }],
    [
      "unix://worker:p%40ss@/run/a%20b.sock",
      { path: "/run/a b.sock", username: "worker", password: "p@ss", url: "unix:///run/a%20b.sock" }
    ]
  ])("may be a unix socket: %s", (url, expected) => {
    assert.deepInclude(socket(url), expected)
  })

  it.each([
    "unix://run/redis.sock",
    "unix://",
    "unix:///run/redis.sock?db=x",
    "unix:///run/redis.sock?password=hunter2",
    "unix://u:hunter2@/run/redis.sock#x",
    "unix://u:hunt%er2@/run/redis.sock",
    "redis://user:12?hunter2@cache",
    "redis://cache/1?db=2",
    "redis://cache?db=-1",
    "redis://cache?ssl=true"
  ])("is refused, without a secret in the reason: %s", (url) => {
    const found = socket(url)
    assert.isString(found)
    assert.notMatch(JSON.stringify(found), /hunter2|hunt%er2/)
  })

  it.live("reaches a server by its unix socket, through the settings", () =>
    Effect.gen(function*() {
      const path = join("/tmp", `${Server.uniquePrefix()}.sock`)
      const server = yield* Server.start({ config: [`unixsocket ${path}`] })
      const env = { SERVICE_NAME: "user", REDIS_URL: `unix://${path}?db=4` }
      const list = yield* Effect.andThen(Redis.Redis, clientList(server)).pipe(
        Effect.provide(IoRedis.layer.pipe(Layer.provide(Settings.layer))),
        Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env }))
      )
      assert.include(list, `${path}:0`)
      assert.match(list, /effect-redis-workers.* db=4 /)
    }))

  const parameters = "ssl_cert_reqs=none&decode_responses=True&db=3"
  const warning = /has parameters that are ignored: ssl_cert_reqs, decode_responses\./

  it.live("ignores parameters of other clients, with a warning that names them", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const env = { SERVICE_NAME: "user", REDIS_URL: `rediss://:hunter2@cache:6380?${parameters}` }
      const { redis } = yield* Settings.Settings.pipe(
        Effect.provide(Layer.provide(Settings.layer, recording(lines))),
        Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env }))
      )
      assert.strictEqual(redis.url, "rediss://cache:6380/3")
      assert.strictEqual(lines.length, 1)
      assert.match(lines[0]!, /^REDIS_URL /)
      assert.match(lines[0]!, warning)
      assert.notInclude(lines[0]!, "hunter2")
    }))

  it.live("ignores parameters of other clients in settings in code and in options, with a warning as well", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      const url = `${server.url}?${parameters}`
      const lines: Array<string> = []
      yield* Settings.Settings.pipe(
        Effect.provide(Layer.provide(Settings.layerOf({ serviceName: "user", redis: { url } }), recording(lines)))
      )
      yield* Effect.provide(Redis.Redis, Layer.provideMerge(IoRedis.layerOptions({ url }), recording(lines)))
      assert.strictEqual(lines.length, 2)
      for (const line of lines) assert.match(line, warning)
    }))
})
