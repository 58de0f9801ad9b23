/**
 * How keys, groups and consumers are named in Redis.
 *
 * A naming is small: `key` joins a service and the parts of a key, and every key that the library has, or will have, is made
 * by it. Streams, groups, response and callback lists have by default the names that services of other languages already
 * use; the rest stands beside them under the same prefix. Two guarantees: no two kinds of names are ever the same key,
 * whatever legal services and action types they are built from; and a name that a message brings along is judged by
 * {@link QueueNamingShape.accepts} before anything is written there.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Result from "effect/Result"
import * as parts from "./internal/redis/nameParts.ts"
import { maxNameLength } from "./internal/redis/names.ts"
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
 * Everything else is derived from these. The parts of keys, in this order:
 *
 * | what | parts |
 * | --- | --- |
 * | action stream | `"streams", "main"` |
 * | dead letters | `"streams", "dead"` |
 * | due times and attempts of retries, length of the lease | `"retries", group, "due"`, `"records"` or `"lease"` |
 * | answer to one request | `"responses", action type with _, correlation id` |
 * | one callback, callbacks of a type | `"callbacks", action type with _, correlation id` or `"inbox"` |
 *
 * Later versions add parts, never another member that a naming must have.
 *
 * The library checks all that it passes: a service is 1 to 128 letters, digits, `_` or `-`, a part 1 to 160 letters, digits, `_`, `.`
 * or `-`. A naming that joins them with any other character gives different keys for different parts. Names are built when a
 * worker or a client starts, and once for each service that it writes to; `accepts` is called for each answer. Called directly,
 * the default naming throws a {@link QueueNameError} for a part that would break the name. Where a part is input,
 * {@link checkService} and {@link checkActionType} tell the same as a value, beforehand.
 *
 * @since 0.1.0
 * @category models
 */
export interface QueueNamingShape {
  /**
   * A key of a service: `{prefix}:{environment}:{service}:{parts joined with :}`. Different services or parts give
   * different keys.
   *
   * @since 0.2.0
   */
  readonly key: (service: string, ...parts: ReadonlyArray<string>) => string
  /** The consumer group of a service: `{service}-group`. It is a part of keys, and so of the characters of one. */
  readonly group: (service: string) => string
  /** A consumer: `{service}-worker-{suffix}-{unique}`; an empty suffix is left out. `unique` differs for each. */
  readonly consumer: (service: string, suffix: string, unique: string) => string
  /** The service that handles an action: the part of its type before the first dot. */
  readonly targetService: (actionType: string) => string
  /**
   * The list for the answers of the service `answering` to one client, `instance`, of the service `client`:
   * `{prefix}:{environment}:{client}:responses:inbox:{instance}`. A client reads each distinct list on a connection of its
   * own; by default all answers come to one.
   */
  readonly inbox: (client: string, answering: string, instance: string) => string
  /**
   * Whether a name taken from a message may be written to, as what the message says it is. A name that is longer than 1,024
   * characters or holds control characters is refused without asking, and to throw is to refuse. A worker does not start with
   * a naming that accepts a key in which the library keeps its own state, such as dead letters or retries.
   */
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
 * **Example** (The name of a stream)
 *
 * ```ts
 * import { QueueNaming } from "effect-redis-workers"
 *
 * const names = QueueNaming.make({ prefix: "shop", environment: "prod" })
 * console.log(names.key("user", "streams", "main")) // shop:prod:user:streams:main
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export class QueueNaming extends Context.Service<QueueNaming, QueueNamingShape>()("effect-redis-workers/QueueNaming") {}

// -----------------------------------------------------------------------------
// Errors
// -----------------------------------------------------------------------------

export {
  /**
   * A part that would break a name, or a naming that cannot be used. The message says which part, what was found and what is
   * expected.
   *
   * @since 0.1.0
   * @category errors
   */
  QueueNameError
} from "./internal/redis/nameParts.ts"

// -----------------------------------------------------------------------------
// Checks
// -----------------------------------------------------------------------------

/**
 * Gives back a service's name, or says why it cannot be one: 1 to 128 letters, digits, `_` or `-`.
 *
 * @since 0.1.0
 * @category checks
 */
export const checkService = (service: string): Result.Result<string, parts.QueueNameError> =>
  parts.checked(parts.service, service)

/**
 * Gives back an action type, or says why it cannot be one: `service.verb` or `service.entity.verb`, each part of
 * letters, digits, `_` or `-`, at most 128 characters.
 *
 * @since 0.1.0
 * @category checks
 */
export const checkActionType = (actionType: string): Result.Result<string, parts.QueueNameError> =>
  parts.checked(parts.actionType, actionType)

// -----------------------------------------------------------------------------
// Make
// -----------------------------------------------------------------------------

const quoted = (text: string): string => text.replace(/[.\\+*?^$()[\]{}|]/g, "\\$&")

/**
 * The names of the wire format for a prefix and an environment. Throws {@link QueueNameError} when one of the two would
 * break a name.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): QueueNamingShape => {
  const { need } = parts
  const root = `${need(parts.prefix, options.prefix)}:${need(parts.environment, options.environment)}:`
  const key = (service: string, ...rest: ReadonlyArray<string>): string => {
    let name = root + need(parts.service, service)
    for (const part of rest) name += `:${need(parts.keyPart, part)}`
    return name
  }

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
    key,
    group: (service) => `${need(parts.service, service)}-group`,
    consumer: (service, suffix, unique) =>
      `${need(parts.service, service)}-worker-${suffix === "" ? "" : `${need(parts.suffix, suffix)}-`}${
        need(parts.unique, unique)
      }`,
    targetService: (actionType) => {
      const dot = need(parts.actionType, actionType).indexOf(".")
      return actionType.slice(0, dot)
    },
    // An action type has a dot, hence its place in a list an underscore: `inbox` is none.
    inbox: (client, _answering, instance) => key(client, "responses", "inbox", need(parts.instance, instance)),
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
 * A naming of your own.
 *
 * **Example** (Keys with hash tags, so that the keys of a service share a slot of a Redis Cluster)
 *
 * ```ts
 * import { QueueNaming } from "effect-redis-workers"
 *
 * const { consumer, group, targetService } = QueueNaming.make({ prefix: "shop", environment: "prod" })
 * const key = (service: string, ...parts: ReadonlyArray<string>) => [`shop/prod/{${service}}`, ...parts].join("/")
 * const name = /^shop\/prod\/\{[\w-]+\}\/(?:(responses|callbacks)(?:\/[\w.-]+)+|(streams)\/main)$/
 * const kinds = { response: "responses", callback: "callbacks", stream: "streams" }
 * const NamingLayer = QueueNaming.layerOf({
 *   key,
 *   group,
 *   consumer,
 *   targetService,
 *   inbox: (client, answering, instance) => key(answering, "responses", "inbox", `${client}.${instance}`),
 *   accepts: (text, kind) => name.exec(text)?.slice(1).includes(kinds[kind]) ?? false
 * })
 * ```
 *
 * **Gotchas**
 *
 * All services that talk to each other need the same. `accepts` decides what a message may make a worker write to: accept
 * only keys of your own, and of them only lists below `responses` and `callbacks` and the stream `streams`, `main`. Write `key`,
 * `inbox` and `accepts` together: those of {@link make} know only the keys of {@link make}.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerOf = (names: QueueNamingShape): Layer.Layer<QueueNaming> => Layer.succeed(QueueNaming, names)
