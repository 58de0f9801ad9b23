import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { inspect } from "node:util"
import * as Settings from "../../src/Settings.ts"

const read = (env: Record<string, string>) =>
  Settings.Settings.pipe(
    Effect.provide(Settings.layer),
    Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env }))
  )

const problemsOf = (env: Record<string, string>) =>
  read(env).pipe(
    Effect.flip,
    Effect.map((error) => error.problems)
  )

describe("Settings from the environment", () => {
  it.effect("has a default for everything but the name of the service", () =>
    Effect.gen(function*() {
      const settings = yield* read({ SERVICE_NAME: "user" })
      assert.deepStrictEqual(settings, { serviceName: "user", ...Settings.defaults })
    }))

  it.effect("reads every variable, bare numbers as seconds", () =>
    Effect.gen(function*() {
      const settings = yield* read({
        SERVICE_NAME: "user",
        ENVIRONMENT: "prod",
        QUEUE_PREFIX: "acme",
        REDIS_URL: "rediss://cache:6380/2",
        REDIS_USERNAME: "worker",
        REDIS_PASSWORD: "pa ss",
        QUEUE_HASH_TAGS: "true",
        REDIS_CLUSTER: "true",
        REDIS_SOCKET_CONNECT_TIMEOUT: "2.5",
        REDIS_SOCKET_KEEPALIVE: "False",
        REDIS_HEALTH_CHECK_INTERVAL: "0",
        NUM_INTERNAL_WORKERS: "4",
        WORKER_CONCURRENCY: "16",
        WORKER_BLOCK: "500 millis",
        WORKER_CLAIM_IDLE: "2 minutes",
        WORKER_MAX_ATTEMPTS: "3",
        WORKER_MAX_DELIVERIES: "7",
        WORKER_HANDLER_TIMEOUT: "90",
        WORKER_SHUTDOWN_GRACE: "0",
        WORKER_PAYLOAD_LIMIT: "512 KiB",
        WORKER_UNKNOWN_FOR: "1 hour",
        REQUEST_TIMEOUT: "10"
      })
      assert.deepStrictEqual({ ...settings, redis: { ...settings.redis, password: "hidden" } }, {
        serviceName: "user",
        environment: "prod",
        queuePrefix: "acme",
        queueHashTags: true,
        redis: {
          url: "rediss://cache:6380/2",
          cluster: true,
          username: "worker",
          password: "hidden",
          connectTimeout: Duration.seconds(2.5),
          keepAlive: false,
          healthCheckInterval: Duration.zero
        },
        consumers: 4,
        concurrency: 16,
        block: Duration.millis(500),
        claimIdle: Duration.minutes(2),
        maxAttempts: 3,
        maxDeliveries: 7,
        handlerTimeout: Duration.seconds(90),
        shutdownGrace: Duration.zero,
        payloadLimit: 512 * 1024,
        unknownFor: Duration.hours(1),
        requestTimeout: Duration.seconds(10)
      })
      assert.strictEqual(Redacted.value(settings.redis.password!), "pa ss")
    }))

  it.effect("takes an empty variable as absent", () =>
    Effect.gen(function*() {
      const settings = yield* read({ SERVICE_NAME: "user", REDIS_PASSWORD: "", WORKER_BLOCK: "", REDIS_URL: "" })
      assert.deepStrictEqual(settings, { serviceName: "user", ...Settings.defaults })
    }))

  it.effect("says that the name of the service is missing", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(read({}))
      assert.strictEqual(error._tag, "SettingsError")
      assert.match(error.message, /^SERVICE_NAME is not set: expected a name of/)
    }))

  it.effect("reports all wrong variables at once with what was found and what is expected", () =>
    Effect.gen(function*() {
      const problems = yield* problemsOf({
        SERVICE_NAME: "user.accounts",
        REDIS_SOCKET_KEEPALIVE: "maybe",
        WORKER_CONCURRENCY: "0",
        WORKER_BLOCK: "soon",
        REDIS_URL: "http://cache"
      })
      assert.deepStrictEqual(problems.map(({ found, name }) => `${name} ${found}`).sort(), [
        "REDIS_SOCKET_KEEPALIVE \"maybe\"",
        "REDIS_URL a URL with the scheme \"http://\"",
        "SERVICE_NAME \"user.accounts\"",
        "WORKER_BLOCK \"soon\"",
        "WORKER_CONCURRENCY \"0\""
      ])
      assert.isTrue(problems.every(({ expected }) => expected.length > 0))
    }))

  it.effect.each([
    ["WORKER_BLOCK", "0"],
    ["WORKER_BLOCK", "Infinity"],
    ["WORKER_CLAIM_IDLE", "-5"],
    ["WORKER_MAX_ATTEMPTS", "2.5"],
    ["WORKER_MAX_ATTEMPTS", "1e3"],
    ["NUM_INTERNAL_WORKERS", "many"],
    ["WORKER_PAYLOAD_LIMIT", "1 GiB"],
    ["REQUEST_TIMEOUT", "NaN"],
    ["ENVIRONMENT", "a b"],
    ["QUEUE_PREFIX", "{x}"]
  ])("refuses %s=%s", ([name, value]) =>
    Effect.gen(function*() {
      const problems = yield* problemsOf({ SERVICE_NAME: "user", [name!]: value! })
      assert.deepStrictEqual(problems.map((problem) => problem.name), [name])
    }))

  it.effect("names the variable of each time that cannot be read, and says what is possible", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(read({ SERVICE_NAME: "user", WORKER_BLOCK: "5 secs", REQUEST_TIMEOUT: "0" }))
      assert.strictEqual(
        error.message,
        "2 settings are wrong\n" +
          "  WORKER_BLOCK is \"5 secs\": expected a time from 10ms to 1h, such as \"5 seconds\"\n" +
          "  REQUEST_TIMEOUT is \"0\": expected a time from 1ms to 1d, such as \"30 seconds\""
      )
    }))

  it.effect("fails as a Config with the same message", () =>
    Effect.gen(function*() {
      const error = yield* Settings.config.parse(ConfigProvider.fromEnv({ env: { SERVICE_NAME: "a:b" } })).pipe(
        Effect.flip
      )
      assert.include(error.message, "SERVICE_NAME is \"a:b\": expected a name of")
    }))
})

describe("Settings of Redis", () => {
  it.effect("moves user and password out of the URL and decodes them", () =>
    Effect.gen(function*() {
      const { redis } = yield* read({ SERVICE_NAME: "user", REDIS_URL: "redis://wo%20rker:s%40cret@cache:6390/3" })
      assert.strictEqual(redis.url, "redis://cache:6390/3")
      assert.strictEqual(redis.username, "wo rker")
      assert.strictEqual(Redacted.value(redis.password!), "s@cret")
    }))

  it.effect("lets REDIS_PASSWORD win over the URL's", () =>
    Effect.gen(function*() {
      const { redis } = yield* read({
        SERVICE_NAME: "user",
        REDIS_URL: "redis://:old@cache",
        REDIS_PASSWORD: "new"
      })
      assert.strictEqual(redis.url, "redis://cache")
      assert.strictEqual(Redacted.value(redis.password!), "new")
    }))

  it.effect.each([
    "hunter2",
    "postgres://user:hunter2@cache",
    "redis://user:hunter2@",
    "redis://user:hun%ter2@cache:6379",
    "redis://user:hunter2@cache:port",
    "redis://user:p#hunter2@cache",
    "redis://cache/hunter2",
    "redis://cache?password=hunter2"
  ])("refuses %s without repeating a secret", (url) =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(read({ SERVICE_NAME: "user", REDIS_URL: url }))
      assert.isTrue(Exit.isFailure(exit))
      if (Exit.isSuccess(exit)) return
      const error = Cause.squash(exit.cause)
      const seen = [String(error), inspect(error, { depth: 9 }), Cause.pretty(exit.cause), JSON.stringify(error)].join()
      assert.include(seen, "REDIS_URL")
      assert.notInclude(seen, "hunter2")
      assert.notInclude(seen, "hun%ter2")
    }))

  for (
    const [text, millis] of [
      ["10ms", 10],
      ["1.5 s", 1_500],
      ["2", 2_000],
      ["5m", 300_000],
      ["2 minutes", 120_000]
    ] as const
  ) {
    it.effect(`take ${text} for a time`, () =>
      Effect.gen(function*() {
        const { block } = yield* read({ SERVICE_NAME: "user", WORKER_BLOCK: text })
        assert.strictEqual(Duration.toMillis(block), millis)
      }))
  }

  it.effect("does not show the password when inspected", () =>
    Effect.gen(function*() {
      const settings = yield* read({ SERVICE_NAME: "user", REDIS_URL: "redis://u:hunter2@cache" })
      assert.notInclude(inspect(settings, { depth: 9, showHidden: true }) + JSON.stringify(settings), "hunter2")
    }))
})

describe("Settings in code", () => {
  it("fills in the defaults", () => {
    const settings = Result.getOrThrow(Settings.make({ serviceName: "user", block: 1500, redis: { password: "x" } }))
    assert.deepStrictEqual(settings.block, Duration.millis(1500))
    assert.strictEqual(Redacted.value(settings.redis.password!), "x")
    assert.deepStrictEqual(settings.claimIdle, Settings.defaults.claimIdle)
  })

  it("checks the same ranges and names the option", () => {
    const settings = Settings.make({
      serviceName: "user",
      concurrency: 0,
      redis: { connectTimeout: "0 seconds", url: "cache:6379" }
    })
    assert.isTrue(Result.isFailure(settings))
    if (Result.isSuccess(settings)) return
    assert.deepStrictEqual(settings.failure.problems.map((problem) => problem.name), [
      "redis.url",
      "redis.connectTimeout",
      "concurrency"
    ])
  })

  it("refuses what is no number for a time", () => {
    const settings = Settings.make({
      serviceName: "user",
      shutdownGrace: Number.NaN,
      unknownFor: Number.NaN,
      redis: { healthCheckInterval: Number.NaN }
    })
    assert.isTrue(Result.isFailure(settings))
    if (Result.isSuccess(settings)) return
    assert.deepStrictEqual(
      new Set(settings.failure.problems.map((problem) => problem.name)),
      new Set([
        "redis.healthCheckInterval",
        "shutdownGrace",
        "unknownFor"
      ])
    )
  })

  it.effect("fails the layer with the typed error", () =>
    Effect.gen(function*() {
      const error = yield* Settings.Settings.pipe(Effect.provide(Settings.layerOf({ serviceName: "" })), Effect.flip)
      assert.strictEqual(error._tag, "SettingsError")
    }))
})
