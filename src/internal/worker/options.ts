/**
 * The options of a worker, over settings, checked.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { defaultLimits } from "../../DomainAction.ts"
import type { Values } from "../../Settings.ts"
import type { WorkerOptions } from "../../Worker.ts"
import { WorkerError } from "../../WorkerError.ts"
import { millis } from "../base/optionTime.ts"

/** Options over settings, checked. */
export const resolve = Effect.fnUntraced(function*(options: WorkerOptions, settings: Values) {
  const concurrency = options.concurrency ?? settings.concurrency
  const resolved = {
    service: options.service ?? settings.serviceName,
    consumers: options.consumers ?? settings.consumers,
    concurrency,
    readAhead: options.readAhead ?? Math.min(2 * concurrency, 200),
    block: millis(options.block ?? settings.block),
    claimIdle: millis(options.claimIdle ?? settings.claimIdle),
    maxAttempts: options.maxAttempts ?? settings.maxAttempts,
    maxDeliveries: options.maxDeliveries ?? settings.maxDeliveries,
    shutdownGrace: millis(options.shutdownGrace ?? settings.shutdownGrace),
    payloadLimit: options.payloadLimit ?? settings.payloadLimit,
    depthLimit: options.depthLimit ?? defaultLimits.maxDepth,
    memoryLimit: options.memoryLimit ?? 16 * 1024 * 1024,
    unknownFor: millis(options.unknownFor ?? settings.unknownFor),
    responseTimeToLive: millis(options.responseTimeToLive ?? "1 hour"),
    retain: options.retain === undefined ? undefined : millis(options.retain),
    handlerTimeout: options.handlerTimeout === undefined
      ? settings.handlerTimeout && Duration.toMillis(settings.handlerTimeout)
      : millis(options.handlerTimeout),
    maxDeadLetters: options.deadLetters?.maxCount ?? 100_000,
    deadLetterAge: millis(options.deadLetters?.maxAge ?? "30 days")
  }
  for (
    const name of ["consumers", "concurrency", "maxAttempts", "maxDeliveries", "payloadLimit", "depthLimit"] as const
  ) {
    if (!Number.isInteger(resolved[name]) || resolved[name] < 1) {
      return yield* new WorkerError({
        reason: "InvalidOptions",
        message: `The option ${name} is ${resolved[name]}: expected a whole number from 1`
      })
    }
  }
  if (!Number.isInteger(resolved.readAhead) || resolved.readAhead < 0) {
    return yield* new WorkerError({
      reason: "InvalidOptions",
      message: `The option readAhead is ${resolved.readAhead}: expected a whole number from 0`
    })
  }
  if (!(resolved.memoryLimit >= 1)) {
    return yield* new WorkerError({
      reason: "InvalidOptions",
      message: `The option memoryLimit is ${resolved.memoryLimit}: expected a number from 1`
    })
  }
  for (const name of ["block", "claimIdle", "responseTimeToLive"] as const) {
    if (!(resolved[name] >= 1) || !Number.isSafeInteger(resolved[name])) {
      return yield* new WorkerError({
        reason: "InvalidOptions",
        message: `The option ${name} is ${resolved[name]} ms: expected a time from 1 millisecond, and an end to it`
      })
    }
  }
  for (
    const [name, least] of [["shutdownGrace", 0], ["unknownFor", 0], ["retain", 0], ["handlerTimeout", 1]] as const
  ) {
    const value = resolved[name]
    if (value !== undefined && !(value >= least)) {
      return yield* new WorkerError({
        reason: "InvalidOptions",
        message: `The option ${name} is ${value} ms: expected a time from ${least} milliseconds, such as "30 seconds"`
      })
    }
  }
  if (!(resolved.maxDeadLetters >= 1) || !(resolved.deadLetterAge >= 1)) {
    return yield* new WorkerError({
      reason: "InvalidOptions",
      message: "The option deadLetters allows no dead letter: expected a maxCount and a maxAge from 1"
    })
  }
  return resolved
})
