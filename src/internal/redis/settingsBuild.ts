/** Checks settings from any source, all together. */
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { SettingsProblem, Values } from "../../Settings.ts"
import { typeName } from "../base/typeName.ts"
import { expectedPassword, type Field, fields, type Name, passwordName, urlName } from "./settingsFields.ts"
import { expectedRedisUrl, ignoredParameters, parseRedisUrl } from "./url.ts"

export interface Source {
  /** The raw settings: by variable from the environment, by key from code. */
  readonly get: (name: Name) => unknown
  readonly environment: boolean
}

export interface Built {
  readonly values: Values
  /** Warnings about values that are only partly used. */
  readonly warnings: ReadonlyArray<string>
}

/** Checks all settings and fills in defaults. Fails with all invalid values together. */
export const build = (
  source: Source,
  defaults: Omit<Values, "serviceName">
): Result.Result<Built, ReadonlyArray<SettingsProblem>> => {
  const problems: Array<SettingsProblem> = []
  const nameOf = (name: Name) => source.environment ? name.variable : name.key

  const optional = <A, B, C>(field: Field<A, B>, fallback: C): A | C => {
    const raw = source.get(field)
    if (raw === undefined) return fallback
    const value = field.decode(source.environment && typeof raw === "string" ? field.fromText(raw) : raw)
    if (value !== undefined) return value
    problems.push({ name: nameOf(field), found: field.show(raw), expected: field.expected })
    return fallback
  }

  const serviceName = optional(fields.serviceName, undefined)
  if (source.get(fields.serviceName) === undefined) {
    problems.push({ name: nameOf(fields.serviceName), found: "not set", expected: fields.serviceName.expected })
  }

  const address = parseRedisUrl(source.get(urlName) ?? defaults.redis.url)
  if (Result.isFailure(address)) {
    problems.push({ name: nameOf(urlName), found: address.failure, expected: expectedRedisUrl })
  }
  const redis = Result.getOrUndefined(address)
  const ignored = redis?.ignored ?? []

  let password = redis?.password === undefined ? undefined : Redacted.make(redis.password)
  const given = source.get(passwordName)
  if (Redacted.isRedacted(given) || (typeof given === "string" && given !== "")) {
    // SAFETY: the environment supplies `Config.Redacted`, and code the type of `Input`; each holds a string.
    password = typeof given === "string" ? Redacted.make(given) : given as Redacted.Redacted<string>
  } else if (given !== undefined && given !== "") {
    problems.push({ name: nameOf(passwordName), found: typeName(given), expected: expectedPassword })
  }

  const username = optional(fields.username, redis?.username)
  const values: Values = {
    serviceName: serviceName ?? "",
    environment: optional(fields.environment, defaults.environment),
    queuePrefix: optional(fields.queuePrefix, defaults.queuePrefix),
    queueHashTags: optional(fields.queueHashTags, defaults.queueHashTags),
    redis: {
      url: redis?.url ?? defaults.redis.url,
      cluster: optional(fields.cluster, defaults.redis.cluster),
      username,
      password,
      connectTimeout: optional(fields.connectTimeout, defaults.redis.connectTimeout),
      keepAlive: optional(fields.keepAlive, defaults.redis.keepAlive),
      healthCheckInterval: optional(fields.healthCheckInterval, defaults.redis.healthCheckInterval)
    },
    consumers: optional(fields.consumers, defaults.consumers),
    concurrency: optional(fields.concurrency, defaults.concurrency),
    block: optional(fields.block, defaults.block),
    claimIdle: optional(fields.claimIdle, defaults.claimIdle),
    maxAttempts: optional(fields.maxAttempts, defaults.maxAttempts),
    maxDeliveries: optional(fields.maxDeliveries, defaults.maxDeliveries),
    handlerTimeout: optional(fields.handlerTimeout, defaults.handlerTimeout),
    shutdownGrace: optional(fields.shutdownGrace, defaults.shutdownGrace),
    payloadLimit: optional(fields.payloadLimit, defaults.payloadLimit),
    unknownFor: optional(fields.unknownFor, defaults.unknownFor),
    requestTimeout: optional(fields.requestTimeout, defaults.requestTimeout)
  }
  return problems.length > 0 ? Result.fail(problems) : Result.succeed({
    values,
    warnings: ignored.length === 0 ? [] : [ignoredParameters(nameOf(urlName), ignored)]
  })
}
