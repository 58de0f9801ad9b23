import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Action from "../../src/Action.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as DeadLetter from "../../src/DeadLetter.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import { namesOf } from "../../src/internal/redis/names.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Redis from "../../src/Redis.ts"
import * as RedisMemory from "../../src/RedisMemory.ts"
import * as Settings from "../../src/Settings.ts"

const naming = QueueNaming.make({ prefix: "acme", environment: "prod" })
const names = namesOf(naming, "mail")

const notes = {
  action_id: "00000000-0000-4000-8000-000000000001",
  action_type: "mail.send",
  reason: "exhausted",
  attempts: "5",
  deliveries: "5",
  hops: "0",
  error_type: "E",
  error_code: "",
  message: "it broke",
  entry_id: "5-0",
  group: names.group,
  consumer: "c",
  time: "7",
  fields: "1"
}

const bury = Effect.flatMap(Redis.Redis, (redis) =>
  redis.send(
    "XADD",
    names.deadLetters,
    "*",
    ...Object.entries(notes).flat(),
    "data",
    DomainAction.encode(DomainAction.make({
      action_id: "00000000-0000-4000-8000-000000000001",
      action_type: "mail.send",
      timestamp: "2025-06-29T04:03:00.123456Z",
      data: {}
    }))
  ))

const count = Effect.flatMap(DeadLetter.DeadLetter, (deadLetters) => deadLetters.count())

const withEnv = (env: Record<string, string>) =>
  Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env }))

const read = (fallback: Settings.Fallback, env: Record<string, string>) =>
  Settings.Settings.pipe(Effect.provide(Settings.layerWith(fallback)), withEnv(env))

describe("the dead letters of a named service", () => {
  it.effect("need neither the settings nor SERVICE_NAME", () =>
    Effect.gen(function*() {
      yield* bury
      assert.strictEqual(yield* count, 1)
    }).pipe(
      Effect.provide(
        DeadLetter.layerOptions({ service: "mail" }).pipe(
          Layer.provideMerge(Layer.mergeAll(RedisMemory.layer, QueueNaming.layerOf(naming)))
        )
      ),
      withEnv({})
    ))

  it.effect("need no settings to be made outside of a layer", () =>
    Effect.gen(function*() {
      yield* bury
      const deadLetters = yield* DeadLetter.make({ service: "mail" })
      assert.strictEqual(yield* deadLetters.count(), 1)
    }).pipe(Effect.provide(Layer.mergeAll(RedisMemory.layer, QueueNaming.layerOf(naming)))))

  it.effect("are found with prefix and environment of the variables, without SERVICE_NAME", () =>
    Effect.gen(function*() {
      yield* bury
      assert.strictEqual(yield* count, 1)
    }).pipe(
      Effect.provide(
        DeadLetter.layerOptions({ service: "mail" }).pipe(
          Layer.provideMerge(Layer.mergeAll(RedisMemory.layer, QueueNaming.layer)),
          Layer.provideMerge(Settings.layerWith({ serviceName: "tools" }))
        )
      ),
      withEnv({ QUEUE_PREFIX: "acme", ENVIRONMENT: "prod" })
    ))

  it.effect("are still decoded within the payload limit of the settings where there are some", () =>
    Effect.gen(function*() {
      yield* bury
      const deadLetters = yield* DeadLetter.DeadLetter
      const { failing } = yield* deadLetters.dryRun(ActionGroup.make(Action.make("mail.send")))
      assert.match(failing[0]!.issue, /larger than 10 bytes/)
    }).pipe(
      Effect.provide(
        DeadLetter.layerOptions({ service: "mail" }).pipe(
          Layer.provideMerge(Layer.mergeAll(RedisMemory.layer, QueueNaming.layerOf(naming))),
          Layer.provideMerge(Settings.layerOf({ serviceName: "tools", payloadLimit: 10 }))
        )
      )
    ))

  it.effect("are refused when the name cannot be part of a key", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(DeadLetter.make({ service: "a:b" }))
      assert.strictEqual(error._tag, "QueueNameError")
    }).pipe(Effect.provide(Layer.mergeAll(RedisMemory.layer, QueueNaming.layerOf(naming)))))
})

describe("settings with values for variables that are not set", () => {
  it.effect("take a variable before the value, the value before the default, and check both", () =>
    Effect.gen(function*() {
      const fallback = {
        serviceName: "tools",
        concurrency: 7,
        block: "2 seconds",
        redis: { url: "redis://:hunter2@cache", connectTimeout: 1_500 }
      } as const
      const values = yield* read(fallback, { ENVIRONMENT: "prod", WORKER_CONCURRENCY: "9" })
      assert.strictEqual(values.serviceName, "tools")
      assert.strictEqual(values.environment, "prod")
      assert.strictEqual(values.concurrency, 9)
      assert.deepStrictEqual(values.block, Duration.seconds(2))
      assert.deepStrictEqual(values.redis.connectTimeout, Duration.millis(1_500))
      assert.strictEqual(values.redis.url, "redis://cache")
      assert.strictEqual(Redacted.value(values.redis.password!), "hunter2")
      assert.strictEqual(values.queuePrefix, "nooble4")
      assert.strictEqual((yield* read(fallback, { SERVICE_NAME: "mail" })).serviceName, "mail")

      const error = yield* Effect.flip(read({ concurrency: 0 }, { WORKER_BLOCK: "soon" }))
      assert.deepStrictEqual(error.problems.map((problem) => problem.name).sort(), [
        "SERVICE_NAME",
        "WORKER_BLOCK",
        "WORKER_CONCURRENCY"
      ])
    }))
})
