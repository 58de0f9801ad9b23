/** The connection of a command: the settings of a worker, with what the command line says instead. */
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { naming } from "../internal/redis/refusedCommand.ts"
import * as IoRedis from "../IoRedis.ts"
import * as QueueNaming from "../QueueNaming.ts"
import { Redis } from "../Redis.ts"
import * as Settings from "../Settings.ts"
import { invalid } from "./failure.ts"
import { Environment, Prefix, Service } from "./globals.ts"

/** The name of this program where a service is needed and none was given. No stream has it. */
const tool = "redis-workers"

/** The environment, under what the command line says. */
const settings = Layer.unwrap(Effect.gen(function*() {
  const given = {
    SERVICE_NAME: Option.getOrUndefined(yield* Service),
    ENVIRONMENT: Option.getOrUndefined(yield* Environment),
    QUEUE_PREFIX: Option.getOrUndefined(yield* Prefix)
  }
  const known = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const flags = ConfigProvider.fromUnknown(known)
  return Settings.layerWith({ serviceName: tool }).pipe(
    Layer.provide(ConfigProvider.layerAdd(flags, { asPrimary: true }))
  )
}))

/** With errors that name the command that a user lacks, in scripts too. */
const redis = Layer.effect(Redis, Effect.map(Redis, naming))

/** Redis and the names of keys, as a worker with this environment has them. */
export const connection = Layer.mergeAll(Layer.provide(redis, IoRedis.layer), QueueNaming.layer).pipe(
  Layer.provideMerge(settings)
)

/** Names and settings, without a connection. */
export const offline = QueueNaming.layer.pipe(Layer.provideMerge(settings))

/** The service that a command is about. */
export const service = Effect.gen(function*() {
  const flag = yield* Service
  if (Option.isSome(flag)) return flag.value
  const variable = yield* Effect.orDie(Config.option(Config.String("SERVICE_NAME")))
  if (Option.isSome(variable)) return variable.value
  return yield* invalid(
    "Which service? Pass --service <name>, or set SERVICE_NAME. \"redis-workers services\" lists them"
  )
})
