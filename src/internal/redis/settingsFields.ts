/** The table of settings: the names in the environment and in code, the expected value, and how to read it. */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

export interface Field<A> {
  readonly variable: string
  readonly key: string
  readonly expected: string
  /** Converts a text of the environment to the value that code would pass; `undefined` if it cannot be read. */
  readonly fromText: (text: string) => unknown
  readonly check: (value: unknown) => A | undefined
  readonly show: (value: unknown) => string
}

const show = (value: unknown): string => {
  const text = typeof value === "string" ? JSON.stringify(value) : Duration.isDuration(value)
    ? Duration.format(value)
    : String(value)
  return text.length > 80 ? `${text.slice(0, 80)}… (${text.length} characters)` : text
}

const integer = (variable: string, key: string, minimum: number, maximum: number): Field<number> => ({
  variable,
  key,
  expected: `a whole number from ${minimum} to ${maximum}`,
  fromText: (text) => /^\d+$/.test(text.trim()) ? Number(text) : undefined,
  check: (value) =>
    typeof value === "number" && Number.isInteger(value) && value >= minimum && value <= maximum ? value : undefined,
  show
})

const byteUnits: Readonly<Record<string, number>> = { B: 1, kB: 1e3, KiB: 2 ** 10, MB: 1e6, MiB: 2 ** 20 }

const bytes = (variable: string, key: string, minimum: number, maximum: number): Field<number> => ({
  ...integer(variable, key, minimum, maximum),
  expected: `a number of bytes from ${minimum} to ${maximum}, or a size such as "512 KiB"`,
  fromText: (text) => {
    const match = /^\s*(\d+)\s*(B|kB|KiB|MB|MiB)?\s*$/.exec(text)
    return match === null ? undefined : Number(match[1]) * byteUnits[match[2] ?? "B"]!
  }
})

/** The units that `Duration.format`, and so our messages, use. Effect itself reads only `"10 millis"`. */
const timeUnits: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

const duration = (
  variable: string,
  key: string,
  minimum: Duration.Input,
  maximum: Duration.Input
): Field<Duration.Duration> => {
  const least = Duration.fromInputUnsafe(minimum)
  const most = Duration.fromInputUnsafe(maximum)
  return {
    variable,
    key,
    // Computed on demand, so that importing the package does not pay for it.
    get expected() {
      return `a time from ${Duration.format(least)} to ${Duration.format(most)}`
    },
    fromText: (text) => {
      const trimmed = text.trim()
      const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/.exec(trimmed)
      return match === null ? trimmed : Duration.millis(Number(match[1]) * timeUnits[match[2] ?? "s"]!)
    },
    check: (value) => {
      // `Duration` treats NaN as zero, so `Number(undefined)` would turn off the feature.
      if (Number.isNaN(value)) return undefined
      // SAFETY: fromInput returns none for values that are not a Duration.Input, so the call itself checks the cast.
      const decoded = Duration.fromInput(value as Duration.Input)
      if (Option.isNone(decoded)) return undefined
      return Duration.isGreaterThanOrEqualTo(decoded.value, least) && Duration.isLessThanOrEqualTo(decoded.value, most)
        ? decoded.value
        : undefined
    },
    show: (value) => typeof value === "number" ? `${value} ms` : show(value)
  }
}

const boolean = (variable: string, key: string): Field<boolean> => ({
  variable,
  key,
  expected: `"true" or "false"`,
  fromText: (text) => {
    const lower = text.trim().toLowerCase()
    if (lower === "true" || lower === "1" || lower === "yes" || lower === "on") return true
    return lower === "false" || lower === "0" || lower === "no" || lower === "off" ? false : undefined
  },
  check: (value) => typeof value === "boolean" ? value : undefined,
  show
})

const text = (variable: string, key: string, pattern: RegExp, expected: string): Field<string> => ({
  variable,
  key,
  expected,
  fromText: (value) => value,
  check: (value) => typeof value === "string" && pattern.test(value) ? value : undefined,
  show
})

/** Every setting with a value of its own. The address and password of Redis are read together. */
export const fields = {
  // A colon would shift the parts of every key, and a dot would end the service's name early in an action type.
  serviceName: text(
    "SERVICE_NAME",
    "serviceName",
    /^[A-Za-z0-9_-]{1,128}$/,
    "a name of 1 to 128 letters, digits, \"_\" or \"-\""
  ),
  environment: text(
    "ENVIRONMENT",
    "environment",
    /^[A-Za-z0-9_.-]{1,64}$/,
    "a name of 1 to 64 letters, digits, \"_\", \".\" or \"-\""
  ),
  queuePrefix: text(
    "QUEUE_PREFIX",
    "queuePrefix",
    /^[A-Za-z0-9_.:-]{1,128}$/,
    "a name of 1 to 128 letters, digits, \"_\", \".\", \":\" or \"-\""
  ),
  username: text("REDIS_USERNAME", "redis.username", /^\S{1,256}$/, "a name of an ACL user without spaces"),
  connectTimeout: duration("REDIS_SOCKET_CONNECT_TIMEOUT", "redis.connectTimeout", "10 millis", "10 minutes"),
  keepAlive: boolean("REDIS_SOCKET_KEEPALIVE", "redis.keepAlive"),
  healthCheckInterval: duration("REDIS_HEALTH_CHECK_INTERVAL", "redis.healthCheckInterval", 0, "1 hour"),
  consumers: integer("NUM_INTERNAL_WORKERS", "consumers", 1, 1000),
  concurrency: integer("WORKER_CONCURRENCY", "concurrency", 1, 100_000),
  block: duration("WORKER_BLOCK", "block", "10 millis", "5 minutes"),
  claimIdle: duration("WORKER_CLAIM_IDLE", "claimIdle", "100 millis", "1 day"),
  maxAttempts: integer("WORKER_MAX_ATTEMPTS", "maxAttempts", 1, 10_000),
  maxDeliveries: integer("WORKER_MAX_DELIVERIES", "maxDeliveries", 1, 10_000),
  handlerTimeout: duration("WORKER_HANDLER_TIMEOUT", "handlerTimeout", "1 millis", "30 days"),
  shutdownGrace: duration("WORKER_SHUTDOWN_GRACE", "shutdownGrace", 0, "1 day"),
  // 512 MiB is the largest string that Redis accepts by default.
  payloadLimit: bytes("WORKER_PAYLOAD_LIMIT", "payloadLimit", 1, 512 * 1024 * 1024),
  unknownFor: duration("WORKER_UNKNOWN_FOR", "unknownFor", 0, "30 days"),
  requestTimeout: duration("REQUEST_TIMEOUT", "requestTimeout", "1 millis", "1 day")
} as const
