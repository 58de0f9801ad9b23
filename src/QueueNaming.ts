/**
 * The names of everything that the library keeps in Redis, in one place.
 *
 * Streams, groups, response and callback lists have the names that services of other languages already use; the rest
 * stands beside them under the same prefix. Two guarantees: no two kinds of names are ever the same key, whatever
 * legal services and action types they are built from; and a name that a message brings along is judged by
 * {@link QueueNamingShape.accepts} before anything is written there.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { isActionType, maxActionTypeLength } from "./internal/wire/fields.ts"
import { Settings } from "./Settings.ts"

// -----------------------------------------------------------------------------
// Types
// -----------------------------------------------------------------------------

/**
 * What a name taken from a message is to be used for.
 *
 * @since 0.1.0
 * @category models
 */
export type Kind = "response" | "callback" | "stream"

/**
 * Builds and judges names.
 *
 * **Details**
 *
 * The builders throw a {@link QueueNameError} when a part would break the name (a colon, a space, nothing at all).
 * Where a part is input, {@link checkService} and {@link checkActionType} tell the same as a value, beforehand.
 *
 * @since 0.1.0
 * @category models
 */
export interface QueueNamingShape {
  /** The stream of a service's actions: `{prefix}:{env}:{service}:streams:main`. */
  readonly actionStream: (service: string) => string
  /** The stream of what could not be handled: `{prefix}:{env}:{service}:streams:dead`. */
  readonly deadLetterStream: (service: string) => string
  /** The consumer group of a service: `{service}-group`. */
  readonly group: (service: string) => string
  /** A consumer: `{service}-worker-{suffix}-{unique}`; an empty suffix is left out. */
  readonly consumer: (service: string, suffix: string, unique: string) => string
  /** The consumer that owns entries which wait for their next attempt: `{service}-waiting`. */
  readonly waitingConsumer: (service: string) => string
  /** Sorted set of waiting entries by due time: `{prefix}:{env}:{service}:retries:{group}:due`. */
  readonly retryDue: (service: string, group: string) => string
  /** Hash of their attempts: `{prefix}:{env}:{service}:retries:{group}:records`. */
  readonly retryRecords: (service: string, group: string) => string
  /** The lease length of a group: `{prefix}:{env}:{service}:retries:{group}:lease`. */
  readonly lease: (service: string, group: string) => string
  /** The list for the answer to one request: `{prefix}:{env}:{service}:responses:{type with . → _}:{correlationId}`. */
  readonly responseList: (service: string, actionType: string, correlationId: string) => string
  /** The list for one callback: `{prefix}:{env}:{service}:callbacks:{type with . → _}:{correlationId}`. */
  readonly callbackList: (service: string, callbackActionType: string, correlationId: string) => string
  /** The list for all answers to one client: `{prefix}:{env}:{service}:responses:inbox:{instance}`. */
  readonly inbox: (service: string, instance: string) => string
  /**
   * The list for all callbacks of a type: `{prefix}:{env}:{service}:callbacks:{type with . → _}:inbox`. Types that
   * differ only in `.` and `_` share it, which does no harm: a callback carries its type.
   */
  readonly callbackInbox: (service: string, callbackActionType: string) => string
  /** The service that handles an action: the part of its type before the first dot. */
  readonly targetService: (actionType: string) => string
  /** Whether a name taken from a message may be written to, as what the message says it is. */
  readonly accepts: (name: string, kind: Kind) => boolean
}

/**
 * What all names begin with.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Letters, digits, `_`, `.`, `:` and `-`, at most 128. */
  readonly prefix: string
  /** Letters, digits, `_`, `.` and `-`, at most 64. */
  readonly environment: string
}

// -----------------------------------------------------------------------------
// Service
// -----------------------------------------------------------------------------

/**
 * The naming that clients and workers use.
 *
 * **Example** (Names of one's own for the dead letters)
 *
 * ```ts
 * import { QueueNaming } from "effect-redis-workers"
 *
 * const names = QueueNaming.make({ prefix: "shop", environment: "prod" })
 * const NamingLayer = QueueNaming.layerOf({
 *   ...names,
 *   deadLetterStream: (service) => `shop:prod:graveyard:${service}`
 * })
 * console.log(names.actionStream("user")) // shop:prod:user:streams:main
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export class QueueNaming extends Context.Service<QueueNaming, QueueNamingShape>()("effect-redis-workers/QueueNaming") {}

// -----------------------------------------------------------------------------
// Errors
// -----------------------------------------------------------------------------

/**
 * A part that would break a name. The message says which part, what was found and what is allowed.
 *
 * @since 0.1.0
 * @category errors
 */
export class QueueNameError extends Data.TaggedError("QueueNameError")<{
  readonly part: string
  readonly found: string
  readonly expected: string
}> {
  override get message(): string {
    return `${this.part} ${shown(this.found)} cannot be part of a name in Redis: expected ${this.expected}`
  }
}

const shown = (found: string): string =>
  found.length > 80 ? `${JSON.stringify(found.slice(0, 80))}… (${found.length} characters)` : JSON.stringify(found)

// -----------------------------------------------------------------------------
// Parts
// -----------------------------------------------------------------------------

interface Part {
  readonly part: string
  readonly expected: string
  readonly test: (value: string) => boolean
}

const matching = (part: string, pattern: RegExp, expected: string): Part => ({
  part,
  expected,
  test: (value) => pattern.test(value)
})

const prefixPart = matching(
  "prefix",
  /^[A-Za-z0-9_.:-]{1,128}$/,
  "1 to 128 letters, digits, \"_\", \".\", \":\" or \"-\""
)

const environmentPart = matching(
  "environment",
  /^[A-Za-z0-9_.-]{1,64}$/,
  "1 to 64 letters, digits, \"_\", \".\" or \"-\""
)

const servicePart = matching("service", /^[A-Za-z0-9_-]{1,128}$/, "1 to 128 letters, digits, \"_\" or \"-\"")

const actionTypePart: Part = {
  part: "action type",
  expected: "\"service.verb\" or \"service.entity.verb\" of letters, digits, \"_\" and \"-\", " +
    `at most ${maxActionTypeLength} characters`,
  test: isActionType
}

const tokenPattern = /^[A-Za-z0-9_.-]{1,160}$/
const tokenExpected = "1 to 160 letters, digits, \"_\", \".\" or \"-\""

const groupPart = matching("group", tokenPattern, tokenExpected)
const instancePart = matching("instance", tokenPattern, tokenExpected)
const suffixPart = matching("consumer suffix", tokenPattern, tokenExpected)
const uniquePart = matching("consumer id", tokenPattern, tokenExpected)

// `inbox` at this place is the shared list: it can be nobody's correlation.
const correlationPart: Part = {
  part: "correlation id",
  expected: `${tokenExpected}, and not "inbox"`,
  test: (value) => tokenPattern.test(value) && value !== "inbox"
}

const refusal = (part: Part, found: string): QueueNameError =>
  new QueueNameError({ part: part.part, found, expected: part.expected })

const need = (part: Part, value: string): string => {
  if (part.test(value)) return value
  throw refusal(part, value)
}

const checked = (part: Part, value: string): Result.Result<string, QueueNameError> =>
  part.test(value) ? Result.succeed(value) : Result.fail(refusal(part, value))

/**
 * Gives back a service's name, or says why it cannot be one: 1 to 128 letters, digits, `_` or `-`.
 *
 * @since 0.1.0
 * @category checks
 */
export const checkService = (service: string): Result.Result<string, QueueNameError> => checked(servicePart, service)

/**
 * Gives back an action type, or says why it cannot be one: `service.verb` or `service.entity.verb`, each part of
 * letters, digits, `_` or `-`, at most 128 characters.
 *
 * @since 0.1.0
 * @category checks
 */
export const checkActionType = (actionType: string): Result.Result<string, QueueNameError> =>
  checked(actionTypePart, actionType)

// -----------------------------------------------------------------------------
// Make
// -----------------------------------------------------------------------------

/** Above the longest name that can be built here. */
const maxNameLength = 1024

const quoted = (text: string): string => text.replace(/[.\\+*?^$()[\]{}|]/g, "\\$&")

const underscored = (actionType: string): string => need(actionTypePart, actionType).replaceAll(".", "_")

/**
 * The names of the wire format for a prefix and an environment. Throws {@link QueueNameError} when one of the two would
 * break a name.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): QueueNamingShape => {
  const root = `${need(prefixPart, options.prefix)}:${need(environmentPart, options.environment)}:`
  const under = (service: string) => root + need(servicePart, service)
  const retries = (service: string, group: string) => `${under(service)}:retries:${need(groupPart, group)}`

  // A client names its lists itself, so whatever follows `responses:` or `callbacks:` is its own affair. The kind
  // stands at a fixed place after a service without colons, so that no such name is ever a stream or a retry key.
  const service = `${quoted(root)}[A-Za-z0-9_-]{1,128}`
  const tail = "(?::[A-Za-z0-9_.-]+)+"
  const patterns: Record<Kind, RegExp> = {
    response: new RegExp(`^${service}:responses${tail}$`),
    callback: new RegExp(`^${service}:callbacks${tail}$`),
    stream: new RegExp(`^${service}:streams:main$`)
  }

  return {
    actionStream: (service) => `${under(service)}:streams:main`,
    deadLetterStream: (service) => `${under(service)}:streams:dead`,
    group: (service) => `${need(servicePart, service)}-group`,
    consumer: (service, suffix, unique) =>
      `${need(servicePart, service)}-worker-${suffix === "" ? "" : `${need(suffixPart, suffix)}-`}${
        need(uniquePart, unique)
      }`,
    waitingConsumer: (service) => `${need(servicePart, service)}-waiting`,
    retryDue: (service, group) => `${retries(service, group)}:due`,
    retryRecords: (service, group) => `${retries(service, group)}:records`,
    lease: (service, group) => `${retries(service, group)}:lease`,
    responseList: (service, actionType, correlationId) =>
      `${under(service)}:responses:${underscored(actionType)}:${need(correlationPart, correlationId)}`,
    callbackList: (service, callbackActionType, correlationId) =>
      `${under(service)}:callbacks:${underscored(callbackActionType)}:${need(correlationPart, correlationId)}`,
    // An action type has a dot, hence its place in a list an underscore: `inbox` is none.
    inbox: (service, instance) => `${under(service)}:responses:inbox:${need(instancePart, instance)}`,
    callbackInbox: (service, callbackActionType) =>
      `${under(service)}:callbacks:${underscored(callbackActionType)}:inbox`,
    targetService: (actionType) => {
      const dot = need(actionTypePart, actionType).indexOf(".")
      return actionType.slice(0, dot)
    },
    accepts: (name, kind) => name.length <= maxNameLength && patterns[kind].test(name)
  }
}

// -----------------------------------------------------------------------------
// Layers
// -----------------------------------------------------------------------------

/**
 * The names of the wire format, with prefix and environment from {@link Settings}.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<QueueNaming, never, Settings> = Layer.effect(
  QueueNaming,
  Effect.map(Settings, (settings) => make({ prefix: settings.queuePrefix, environment: settings.environment }))
)

/**
 * Names of one's own.
 *
 * **Gotchas**
 *
 * All services that talk to each other need the same. `accepts` decides what a message may make a worker write to:
 * a naming that says yes to everything lets a forged message fill any list.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerOf = (names: QueueNamingShape): Layer.Layer<QueueNaming> => Layer.succeed(QueueNaming, names)
