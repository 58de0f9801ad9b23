/** Merges the options of a worker over the settings, and checks them. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { defaultLimits } from "../../DomainAction.ts"
import type { Values } from "../../Settings.ts"
import type { WorkerOptions } from "../../Worker.ts"
import { WorkerError } from "../../WorkerError.ts"
import { millis } from "../base/optionTime.ts"
import { defaultSchedule } from "./backoff.ts"

/** With times in milliseconds. */
export type Options = Effect.Success<ReturnType<typeof resolve>>

const over = (options: WorkerOptions, settings: Values) => {
  const concurrency = options.concurrency ?? settings.concurrency
  return {
    service: options.service ?? settings.serviceName,
    consumerSuffix: options.consumerSuffix,
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
    retry: options.retry ?? defaultSchedule,
    errors: options.errors,
    errorReplies: options.errorReplies ?? "final",
    callbackErrors: options.callbackErrors ?? "dead-letter",
    callbacks: options.callbacks ?? true,
    responseTimeToLive: millis(options.responseTimeToLive ?? "1 hour"),
    retain: options.retain === undefined ? undefined : millis(options.retain),
    handlerTimeout: options.handlerTimeout === undefined
      ? settings.handlerTimeout && Duration.toMillis(settings.handlerTimeout)
      : millis(options.handlerTimeout),
    maxDeadLetters: options.deadLetters?.maxCount ?? 100_000,
    deadLetterAge: millis(options.deadLetters?.maxAge ?? "30 days")
  }
}

const expected = (name: string, value: number | string, what: string) =>
  `The option ${name} is ${value}: expected ${what}`

/** The problem with the first invalid option; `undefined` if all are valid. */
const problemOf = (options: ReturnType<typeof over>): string | undefined => {
  const counts = ["consumers", "concurrency", "maxAttempts", "maxDeliveries", "payloadLimit", "depthLimit"] as const
  for (const name of counts) {
    const value = options[name]
    if (!Number.isInteger(value) || value < 1) return expected(name, value, "a whole number from 1")
  }
  if (!Number.isInteger(options.readAhead) || options.readAhead < 0) {
    return expected("readAhead", options.readAhead, "a whole number from 0")
  }
  if (!(options.memoryLimit >= 1)) return expected("memoryLimit", options.memoryLimit, "a number from 1")
  for (const name of ["block", "claimIdle", "responseTimeToLive"] as const) {
    const value = options[name]
    if (value >= 1 && Number.isSafeInteger(value)) continue
    return expected(name, `${value} ms`, "a time from 1 millisecond, and an end to it")
  }
  const times = [["shutdownGrace", 0], ["unknownFor", 0], ["retain", 0], ["handlerTimeout", 1]] as const
  for (const [name, least] of times) {
    const value = options[name]
    if (value === undefined || value >= least) continue
    return expected(name, `${value} ms`, `a time from ${least} milliseconds, such as "30 seconds"`)
  }
  return options.maxDeadLetters >= 1 && options.deadLetterAge >= 1
    ? undefined
    : "The option deadLetters allows no dead letter: expected a maxCount and a maxAge from 1"
}

export const resolve = Effect.fnUntraced(function*(options: WorkerOptions, settings: Values) {
  const resolved = over(options, settings)
  const message = problemOf(resolved)
  return message === undefined ? resolved : yield* new WorkerError({ reason: "InvalidOptions", message })
})
