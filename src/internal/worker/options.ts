/** Merges the options of a worker over the settings, and checks them. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { defaultLimits } from "../../DomainAction.ts"
import type { Schedule } from "../../Schedules.ts"
import type { Values } from "../../Settings.ts"
import type { WorkerOptions } from "../../Worker.ts"
import type { InvalidOption } from "../base/invalidOption.ts"
import {
  flag,
  invalid,
  type Kind,
  oneOf,
  positiveNumber,
  type Row,
  row,
  schedule,
  text,
  time,
  wholeMillis,
  wholeNumber
} from "../base/options.ts"
import { responseTimeToLive } from "../redis/responseTimeToLive.ts"
import { fields } from "../redis/settingsFields.ts"
import { distinct } from "../schedules/declare.ts"
import type { Declared } from "../schedules/spec.ts"
import { defaultSchedule } from "./backoff.ts"

/** Its parameters and its result cannot be seen in a function; the type of the option demands them. */
const observer: Kind<NonNullable<WorkerOptions["onSettled"]>> = {
  expected: "a function (settlement, delivery) => Effect",
  decode: (value) => typeof value === "function" ? value as NonNullable<WorkerOptions["onSettled"]> : undefined,
  show: (value) => typeof value,
  fromText: () => undefined
}

/** Options without a setting. A worker's `readAhead` has a default that depends on another option. */
export const workerRows = {
  // A number follows it in the name of a consumer.
  consumerSuffix: text(/^[A-Za-z0-9_.-]{1,128}$/, "1 to 128 letters, digits, \"_\", \".\" or \"-\""),
  consumers: fields.consumers,
  concurrency: fields.concurrency,
  readAhead: wholeNumber(0, 100_000),
  block: fields.block,
  claimIdle: fields.claimIdle,
  maxAttempts: fields.maxAttempts,
  maxDeliveries: fields.maxDeliveries,
  handlerTimeout: fields.handlerTimeout,
  shutdownGrace: fields.shutdownGrace,
  payloadLimit: fields.payloadLimit,
  depthLimit: row(wholeNumber(1, 1000), defaultLimits.maxDepth),
  memoryLimit: row(positiveNumber, 16 * 1024 * 1024),
  unknownFor: fields.unknownFor,
  retry: row(schedule, defaultSchedule),
  errorReplies: row(oneOf("final", "every-attempt"), "final"),
  callbackErrors: row(oneOf("dead-letter", "response"), "dead-letter"),
  callbacks: row(flag, true),
  responseTimeToLive,
  "deadLetters.maxCount": row(wholeNumber(1, undefined, { orInfinity: true }), 100_000),
  "deadLetters.maxAge": row(time("1 millis", undefined, { example: "30 days" }), Duration.days(30)),
  retain: time(0, undefined, { example: "1 hour" }),
  statistics: row(flag, true),
  onSettled: observer
} as const

/** With times in milliseconds. */
export type Options = Effect.Success<ReturnType<typeof resolve>>

/** Reads options one after the other and keeps the first that is invalid. */
class Reader {
  problem: InvalidOption | undefined

  /** The value of an option, or of the setting with its name; the fallback of the row where neither is given. */
  take<A, B>(name: string, row: Row<A, B>, ...given: ReadonlyArray<unknown>): A | B {
    const found = given.find((value) => value !== undefined)
    return found === undefined ? row.fallback : this.decode(name, row, found) ?? row.fallback
  }

  optional<A>(name: string, kind: Kind<A>, given: unknown): A | undefined {
    return given === undefined ? undefined : this.decode(name, kind, given)
  }

  private decode<A>(name: string, kind: Kind<A>, found: unknown): A | undefined {
    const value = kind.decode(found)
    if (value === undefined) this.problem ??= invalid(name, kind, found)
    return value
  }
}

const over = (read: Reader, options: WorkerOptions, settings: Values) => {
  const rows = workerRows
  const concurrency = read.take("concurrency", rows.concurrency, options.concurrency, settings.concurrency)
  const handlerTimeout = read.optional(
    "handlerTimeout",
    rows.handlerTimeout,
    options.handlerTimeout ?? settings.handlerTimeout
  )
  const retain = read.optional("retain", rows.retain, options.retain)
  const { deadLetters } = options
  return {
    service: options.service ?? settings.serviceName,
    consumerSuffix: read.optional("consumerSuffix", rows.consumerSuffix, options.consumerSuffix),
    consumers: read.take("consumers", rows.consumers, options.consumers, settings.consumers),
    concurrency,
    readAhead: read.optional("readAhead", rows.readAhead, options.readAhead) ?? Math.min(2 * concurrency, 200),
    block: wholeMillis(read.take("block", rows.block, options.block, settings.block)),
    claimIdle: wholeMillis(read.take("claimIdle", rows.claimIdle, options.claimIdle, settings.claimIdle)),
    maxAttempts: read.take("maxAttempts", rows.maxAttempts, options.maxAttempts, settings.maxAttempts),
    maxDeliveries: read.take("maxDeliveries", rows.maxDeliveries, options.maxDeliveries, settings.maxDeliveries),
    shutdownGrace: wholeMillis(
      read.take("shutdownGrace", rows.shutdownGrace, options.shutdownGrace, settings.shutdownGrace)
    ),
    payloadLimit: read.take("payloadLimit", rows.payloadLimit, options.payloadLimit, settings.payloadLimit),
    depthLimit: read.take("depthLimit", rows.depthLimit, options.depthLimit),
    memoryLimit: read.take("memoryLimit", rows.memoryLimit, options.memoryLimit),
    unknownFor: wholeMillis(read.take("unknownFor", rows.unknownFor, options.unknownFor, settings.unknownFor)),
    retry: read.take("retry", rows.retry, options.retry),
    errors: options.errors,
    errorReplies: read.take("errorReplies", rows.errorReplies, options.errorReplies),
    callbackErrors: read.take("callbackErrors", rows.callbackErrors, options.callbackErrors),
    callbacks: read.take("callbacks", rows.callbacks, options.callbacks),
    responseTimeToLive: wholeMillis(
      read.take("responseTimeToLive", rows.responseTimeToLive, options.responseTimeToLive)
    ),
    retain: retain && wholeMillis(retain),
    statistics: read.take("statistics", rows.statistics, options.statistics),
    onSettled: read.optional("onSettled", rows.onSettled, options.onSettled),
    handlerTimeout: handlerTimeout && wholeMillis(handlerTimeout),
    // SAFETY: every schedule is made by `Schedules.cron` or `Schedules.every`, which return the whole of it.
    schedules: (options.schedules ?? []) as ReadonlyArray<Schedule & Declared>,
    maxDeadLetters: read.take("deadLetters.maxCount", rows["deadLetters.maxCount"], deadLetters?.maxCount),
    deadLetterAge: wholeMillis(read.take("deadLetters.maxAge", rows["deadLetters.maxAge"], deadLetters?.maxAge))
  }
}

export const resolve = Effect.fnUntraced(function*(options: WorkerOptions, settings: Values) {
  const read = new Reader()
  const resolved = over(read, options, settings)
  if (read.problem !== undefined) return yield* read.problem
  return { ...resolved, schedules: yield* Effect.fromResult(distinct(resolved.schedules)) }
})
