/**
 * Which options of ioredis are taken, and which are refused and why. Nothing that is given is left out in silence.
 */
import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { RedisOptions } from "ioredis"
import type { IoRedisOptions, Options } from "../../IoRedis.ts"
import { typeName } from "../base/typeName.ts"
import { fields } from "../redis/settingsFields.ts"
import type { RedisAddress } from "../redis/url.ts"

/** Why options cannot be used. */
export interface Refusal {
  readonly detail: string
  readonly advice: string
}

/** Rejected unless it has a value that changes nothing here. */
interface Refused {
  readonly unless: ReadonlyArray<unknown>
  readonly advice: string
}

const refused = (advice: string, ...unless: ReadonlyArray<unknown>): Refused => ({ advice, unless })

const resending = "this library decides when a command is sent again and how a connection comes back"
const timing = "use connectTimeout, replyTimeout and blockGrace of IoRedis"
const shapes = "the replies that this library reads have one shape"
const lifetime = "connections are opened when the layer is built and closed with its scope"
const scripting = "use Redis.script"

const always = "taken"
const withSentinels = "with sentinels"

/** A new option in a release of ioredis does not compile here until it is classified. */
const rules: { readonly [K in keyof Required<RedisOptions>]: "taken" | "with sentinels" | Refused } = {
  host: always,
  port: always,
  path: always,
  family: always,
  db: always,
  username: always,
  password: always,
  tls: always,
  keepAlive: always,
  noDelay: always,
  connectTimeout: always,
  connectionName: always,
  disableClientInfo: always,
  clientInfoTag: always,
  Connector: always,
  sentinels: always,

  name: withSentinels,
  role: withSentinels,
  natMap: withSentinels,
  preferredSlaves: withSentinels,
  updateSentinels: withSentinels,
  failoverDetector: withSentinels,
  enableTLSForSentinelMode: withSentinels,
  sentinelTLS: withSentinels,
  sentinelUsername: withSentinels,
  sentinelPassword: withSentinels,
  sentinelCommandTimeout: withSentinels,
  sentinelMaxConnections: withSentinels,
  sentinelRetryStrategy: withSentinels,
  sentinelReconnectStrategy: withSentinels,

  keyPrefix: refused("set QUEUE_PREFIX, or provide a QueueNaming", ""),

  maxRetriesPerRequest: refused(resending, 0),
  retryStrategy: refused(resending),
  reconnectOnError: refused(resending),
  autoResendUnfulfilledCommands: refused(resending, true),
  autoResubscribe: refused(resending, true),
  enableOfflineQueue: refused(resending, true),
  offlineQueue: refused(resending),
  commandQueue: refused(resending),
  enableReadyCheck: refused(resending, false),
  maxLoadingRetryTime: refused(resending),
  enableAutoPipelining: refused("commands that are sent at once share a write already", false),
  autoPipeliningIgnoredCommands: refused("commands that are sent at once share a write already"),

  commandTimeout: refused(timing),
  blockingTimeout: refused(timing),
  blockingTimeoutGrace: refused(timing),
  socketTimeout: refused(timing),

  protocol: refused(shapes, 2),
  replyMapping: refused(shapes, "legacy"),
  stringNumbers: refused(shapes, false),
  readOnly: refused("every connection writes", false),
  monitor: refused("make a client of your own for it", false),
  showFriendlyErrorStack: refused("errors carry no arguments of their commands", false),

  lazyConnect: refused(lifetime, true),
  disconnectTimeout: refused(lifetime),

  scripts: refused(scripting),
  himportFieldsets: refused("make a client of your own for it")
}

/** Default values of ioredis that have no effect without Sentinels. */
const withoutEffect: IoRedisOptions = {
  role: "master",
  updateSentinels: true,
  failoverDetector: false,
  enableTLSForSentinelMode: false
}

const ruleOf = (name: string): (typeof rules)[keyof RedisOptions] | undefined =>
  // SAFETY: an own property of the table is one of its names.
  Object.hasOwn(rules, name) ? rules[name as keyof RedisOptions] : undefined

const list = (names: ReadonlyArray<string>): string => names.join(", ")

/** The options given, without `undefined` and `null`, which ioredis treats as absent. */
const presentOf = (given: object | undefined): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(given ?? {}).filter(([, value]) => value !== undefined && value !== null))

/** Rejects options that have no meaning here, each by its name and with the reason. */
const refusalOf = (given: Readonly<Record<string, unknown>>): Refusal | undefined => {
  const names: Array<string> = []
  const reasons = new Map<string, Array<string>>()
  const refuse = (name: string, reason: string) => {
    names.push(name)
    reasons.set(reason, [...reasons.get(reason) ?? [], name])
  }
  for (const [name, value] of Object.entries(given)) {
    const rule = ruleOf(name)
    if (rule === undefined) {
      // A custom Connector may read options of its own.
      if (given["Connector"] === undefined) refuse(name, "ioredis has no such option")
    } else if (rule === withSentinels) {
      // SAFETY: any text may be looked up; other names give undefined.
      const says = withoutEffect[name as keyof IoRedisOptions] !== value
      if (given["sentinels"] === undefined && given["Connector"] === undefined && says) {
        refuse(name, "it has a meaning with sentinels only")
      }
    } else if (rule !== always && !rule.unless.includes(value)) {
      refuse(name, rule.advice)
    }
  }
  return names.length === 0 ? undefined : {
    detail: `ioredis options that cannot be used here: ${list(names)}`,
    advice: `leave ${names.length === 1 ? "it" : "them"} out. ` +
      [...reasons].map(([reason, of]) => `${list(of)}: ${reason}`).join(". ")
  }
}

/** Rejects nonsensical values, which ioredis or Node would report late, by throwing, or not at all. */
const nonsenseOf = (given: Readonly<Record<string, unknown>>): Refusal | undefined => {
  const wrong = (name: string, found: string, expected: string): Refusal => ({
    detail: `ioredis.${name} is ${found}`,
    advice: `expected ${expected}`
  })
  for (const name of ["host", "path", "username", "password", "name", "connectionName"]) {
    const value = given[name]
    if (value !== undefined && typeof value !== "string") return wrong(name, typeName(value), "a text")
  }
  for (const [name, most] of [["port", 65_535], ["db", 999_999_999]] as const) {
    const value = given[name]
    const number = Number(value)
    if (value !== undefined && !(Number.isInteger(number) && number >= 0 && number <= most && value !== "")) {
      return wrong(name, typeof value === "number" ? `${value}` : typeName(value), `a whole number up to ${most}`)
    }
  }
  const { connectTimeout } = fields
  const limit = given["connectTimeout"]
  if (limit !== undefined && (typeof limit !== "number" || connectTimeout.decode(limit) === undefined)) {
    return wrong("connectTimeout", connectTimeout.show(limit), connectTimeout.expected)
  }
  const sentinels = given["sentinels"]
  if (sentinels === undefined) return undefined
  if (!Array.isArray(sentinels) || sentinels.length === 0) {
    return wrong("sentinels", "empty", "the addresses of one Sentinel or more")
  }
  if (!given["name"]) return wrong("name", "not set", "the name under which the Sentinels know the master")
  return undefined
}

const millisOf = (input: Duration.Input): number | undefined => {
  const decoded = fields.connectTimeout.decode(input)
  return decoded && Duration.toMillis(decoded)
}

const secretOf = (password: Options["password"]): unknown =>
  Redacted.isRedacted(password) ? Redacted.value(password) : password

/** Rejects two options that contradict each other. The message shows no values, because some are secrets. */
const conflictOf = (
  given: IoRedisOptions,
  options: Options,
  url: RedisAddress | undefined
): Refusal | undefined => {
  const unequal = (a: unknown, b: unknown): boolean => a !== undefined && b !== undefined && String(a) !== String(b)
  const { connectTimeout, host, path, port, sentinels } = given
  const conflicts: ReadonlyArray<readonly [boolean, string, string]> = [
    [path !== undefined && (host !== undefined || port !== undefined), "ioredis.path", "ioredis.host or ioredis.port"],
    [
      sentinels !== undefined && (host !== undefined || port !== undefined || path !== undefined),
      "ioredis.sentinels",
      "ioredis.host, ioredis.port or ioredis.path"
    ],
    [sentinels !== undefined && url?.path !== undefined, "ioredis.sentinels", "the unix socket of the url"],
    [url !== undefined && url.path === undefined && path !== undefined, "ioredis.path", "the host of the url"],
    [url?.path !== undefined && (host !== undefined || port !== undefined), "ioredis.host or ioredis.port", "the url"],
    [unequal(path, url?.path), "ioredis.path", "the url"],
    [unequal(host, url?.host), "ioredis.host", "the url"],
    [unequal(port, url?.port), "ioredis.port", "the url"],
    [unequal(given.db, url?.db), "ioredis.db", "the url"],
    options.username === undefined
      ? [unequal(given.username, url?.username), "ioredis.username", "the url"]
      : [unequal(given.username, options.username), "ioredis.username", "username"],
    options.password === undefined
      ? [unequal(given.password, url?.password), "ioredis.password", "the url"]
      : [
        given.password !== undefined && given.password !== secretOf(options.password),
        "ioredis.password",
        "password"
      ],
    [unequal(given.connectionName, options.name), "ioredis.connectionName", "name"],
    [
      connectTimeout !== undefined && options.connectTimeout !== undefined &&
      millisOf(options.connectTimeout) !== connectTimeout,
      "ioredis.connectTimeout",
      "connectTimeout"
    ],
    [given.keepAlive !== undefined && options.keepAlive === false, "ioredis.keepAlive", "keepAlive: false"],
    [
      sentinels !== undefined && given.enableTLSForSentinelMode === false &&
      (given.tls !== undefined || url?.tls === true),
      "ioredis.enableTLSForSentinelMode: false",
      "the TLS that is asked for"
    ]
  ]
  const found = conflicts.find(([conflict]) => conflict)
  return found && { detail: `${found[1]} contradicts ${found[2]}`, advice: "give one of them" }
}

/** Returns the accepted options of ioredis, or why some are rejected. */
export const takeIoredis = (
  options: Options,
  url: RedisAddress | undefined
): Result.Result<IoRedisOptions, Refusal> => {
  const given = presentOf(options.ioredis)
  // SAFETY: the checks above make sure that it contains nothing else.
  const taken = given as IoRedisOptions
  const refusal = refusalOf(given) ?? nonsenseOf(given) ?? conflictOf(taken, options, url)
  return refusal === undefined ? Result.succeed(taken) : Result.fail(refusal)
}
