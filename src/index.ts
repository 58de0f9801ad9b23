/**
 * Typed action contracts, durable workers over Redis Streams and answers to the caller, as Effect layers.
 *
 * @since 0.1.0
 */
import * as IoRedisModule from "./IoRedis.ts"
import * as QueueNamingModule from "./QueueNaming.ts"
import * as RedisMemoryModule from "./RedisMemory.ts"
import * as SettingsModule from "./Settings.ts"

// -----------------------------------------------------------------------------
// modules
// -----------------------------------------------------------------------------

export * as Action from "./Action.ts"
export * as ActionClient from "./ActionClient.ts"
export * as ActionContext from "./ActionContext.ts"
export * as ActionGroup from "./ActionGroup.ts"
export * as ActionId from "./ActionId.ts"
export * as Dashboard from "./Dashboard.ts"
export * as DeadLetter from "./DeadLetter.ts"
export * as Delivery from "./Delivery.ts"
export * as DomainAction from "./DomainAction.ts"
export * as HandlerError from "./HandlerError.ts"
export * as Health from "./Health.ts"
export * as Inspector from "./Inspector.ts"
export * as IoRedis from "./IoRedis.ts"
export * as Lanes from "./Lanes.ts"
export * as Metrics from "./Metrics.ts"
export * as QueueNaming from "./QueueNaming.ts"
export * as Receipt from "./Receipt.ts"
export * as Redis from "./Redis.ts"
export * as RedisMemory from "./RedisMemory.ts"
export * as Schedules from "./Schedules.ts"
export * as Settings from "./Settings.ts"
export * as Settlement from "./Settlement.ts"
export * as Worker from "./Worker.ts"

// -----------------------------------------------------------------------------
// the default layer of each module, and the names that every program uses
// -----------------------------------------------------------------------------

export { Rejected, RetryLater } from "./HandlerError.ts"
export { InvalidOption } from "./internal/base/invalidOption.ts"
export { run as makeWorker } from "./Worker.ts"

/** ioredis, configured by the settings. The same as `IoRedis.layer`. */
export const RedisLayer: typeof IoRedisModule.layer = IoRedisModule.layer

/** An in-memory Redis that uses Effect's Clock. The same as `RedisMemory.layer`. */
export const RedisMemoryLayer: typeof RedisMemoryModule.layer = RedisMemoryModule.layer

/** The names of the wire format, configured by the settings. The same as `QueueNaming.layer`. */
export const QueueNamingLayer: typeof QueueNamingModule.layer = QueueNamingModule.layer

/** Settings from the environment. The same as `Settings.layer`. */
export const SettingsLayer: typeof SettingsModule.layer = SettingsModule.layer
