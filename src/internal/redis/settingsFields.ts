/** The table of settings: the names in the environment and in code, the accepted values, and the default. */
import * as Duration from "effect/Duration"
import { handlerTimeout, maxAttempts } from "../base/attempts.ts"
import { bytes, flag, type Kind, type Row, row, text, time, wholeNumber } from "../base/options.ts"

export interface Field<A, B = A> extends Row<A, B> {
  readonly variable: string
  readonly key: string
}

const field = <A, const B extends A | undefined>(
  variable: string,
  key: string,
  kind: Kind<A>,
  fallback: B
): Field<A, A | B> => ({ variable, key, ...row(kind, fallback) })

/** A limit that may be left out. */
const optional = <A>(variable: string, key: string, kind: Kind<A>): Field<A, A | undefined> => ({
  variable,
  key,
  ...kind,
  fallback: undefined
})

/** Every setting with a value of its own. The address and password of Redis are read together. */
export const fields = {
  // A colon would move the parts of every key, a dot would end the service's name early in an action type.
  serviceName: optional(
    "SERVICE_NAME",
    "serviceName",
    text(/^[A-Za-z0-9_-]{1,128}$/, "a name of 1 to 128 letters, digits, \"_\" or \"-\"")
  ),
  environment: field(
    "ENVIRONMENT",
    "environment",
    text(/^[A-Za-z0-9_.-]{1,64}$/, "a name of 1 to 64 letters, digits, \"_\", \".\" or \"-\""),
    "dev"
  ),
  queuePrefix: field(
    "QUEUE_PREFIX",
    "queuePrefix",
    text(/^[A-Za-z0-9_.:-]{1,128}$/, "a name of 1 to 128 letters, digits, \"_\", \".\", \":\" or \"-\""),
    "nooble4"
  ),
  queueHashTags: field("QUEUE_HASH_TAGS", "queueHashTags", flag, false),
  cluster: field("REDIS_CLUSTER", "redis.cluster", flag, false),
  username: optional(
    "REDIS_USERNAME",
    "redis.username",
    text(/^\S{1,256}$/, "a name of an ACL user without spaces")
  ),
  connectTimeout: field(
    "REDIS_SOCKET_CONNECT_TIMEOUT",
    "redis.connectTimeout",
    time("10 millis", "10 minutes", { example: "5 seconds" }),
    Duration.seconds(5)
  ),
  keepAlive: field("REDIS_SOCKET_KEEPALIVE", "redis.keepAlive", flag, true),
  healthCheckInterval: field(
    "REDIS_HEALTH_CHECK_INTERVAL",
    "redis.healthCheckInterval",
    time(0, "1 hour"),
    Duration.seconds(30)
  ),
  consumers: field("NUM_INTERNAL_WORKERS", "consumers", wholeNumber(1, 1000), 1),
  concurrency: field("WORKER_CONCURRENCY", "concurrency", wholeNumber(1, 100_000), 100),
  block: field("WORKER_BLOCK", "block", time("10 millis", "1 hour", { example: "5 seconds" }), Duration.seconds(5)),
  claimIdle: field(
    "WORKER_CLAIM_IDLE",
    "claimIdle",
    time("100 millis", "1 day", { example: "60 seconds" }),
    Duration.seconds(60)
  ),
  maxAttempts: field("WORKER_MAX_ATTEMPTS", "maxAttempts", maxAttempts, 5),
  maxDeliveries: field("WORKER_MAX_DELIVERIES", "maxDeliveries", wholeNumber(1, 10_000), 10),
  handlerTimeout: optional("WORKER_HANDLER_TIMEOUT", "handlerTimeout", handlerTimeout),
  shutdownGrace: field(
    "WORKER_SHUTDOWN_GRACE",
    "shutdownGrace",
    time(0, "1 day", { example: "25 seconds", orInfinity: true }),
    Duration.seconds(25)
  ),
  // Room for a page of embeddings (a few hundred vectors as JSON), small enough that a full batch stays in memory.
  // 512 MiB is the largest string that Redis takes by default.
  payloadLimit: field("WORKER_PAYLOAD_LIMIT", "payloadLimit", bytes(1, 512 * 1024 * 1024), 4 * 1024 * 1024),
  unknownFor: field(
    "WORKER_UNKNOWN_FOR",
    "unknownFor",
    time(0, "30 days", { example: "10 minutes", orInfinity: true }),
    Duration.minutes(10)
  ),
  requestTimeout: field("REQUEST_TIMEOUT", "requestTimeout", time("1 millis", "1 day"), Duration.seconds(30))
} as const

/** The name of a setting in the environment and in code. */
export type Name = Pick<Field<unknown>, "variable" | "key">

export const urlName: Name = { variable: "REDIS_URL", key: "redis.url" }
export const passwordName: Name = { variable: "REDIS_PASSWORD", key: "redis.password" }

export const defaultUrl = "redis://localhost:6379"
export const expectedPassword = "a text"
