/**
 * The names of keys, groups and consumers in Redis.
 *
 * `key` joins a service and the parts of a key, and every key of the library, now and in later versions, comes from it.
 * By default, streams, groups, response lists and callback lists have the names that services in other languages
 * already use. All other keys share their prefix.
 *
 * Two guarantees hold. Two kinds of names never produce the same key, for any valid service and action type. And a name
 * that comes from a message is checked by {@link QueueNamingShape.accepts} before anything is written to it.
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
 * The intended use of a name that comes from a message.
 *
 * @since 0.1.0
 * @category models
 */
export type Kind = "response" | "callback" | "stream"

/**
 * Builds and checks names.
 *
 * **Details**
 *
 * All names are derived from these functions. The parts of keys, in this order:
 *
 * | key | parts |
 * | --- | --- |
 * | action stream | `"streams", "main"` |
 * | dead letters | `"streams", "dead"` |
 * | answers for other slots of a Redis Cluster | `"streams", "outbound"` |
 * | due times and attempts of retries, length of the lease | `"retries", group, "due"`, `"records"` or `"lease"` |
 * | parked actions | `"parked", "entries"` or `"due"` |
 * | lanes | `"lanes", "held"`, `"waiting"`, `"sequence"`, `"rules"` or `"rates"` |
 * | schedules | `"schedules", "specs"`, `"next"` or `"state"` |
 * | statistics | `"statistics", "minute"` or `"quarter", number`; `"statistics", "worker", id` |
 * | pauses, capabilities, one deduplication | `"paused"`; `"features"`; `"unique", SHA-1` |
 * | answer to one request | `"responses", action type with _, correlation id` |
 * | one callback, callbacks of a type | `"callbacks", action type with _, correlation id` or `"inbox"` |
 *
 * Later versions may add parts, but never a function that a naming must have.
 *
 * The library checks its arguments: a service is 1 to 128 letters, digits, `_` or `-`, and a part is 1 to 160 letters,
 * digits, `_`, `.` or `-`. A naming that joins them with any other character gives different keys for different parts.
 *
 * Names are built when a worker or a client starts, and once for each service that it writes to. `accepts` is called
 * for each answer. Called directly, the default naming throws a {@link QueueNameError} for an invalid part. Check input
 * beforehand with {@link checkService} and {@link checkActionType}, which return the error as a value.
 *
 * @since 0.1.0
 * @category models
 */
export interface QueueNamingShape {
  /**
   * Returns a key of a service: `{prefix}:{environment}:{service}:{parts joined with :}`. Different services or parts
   * must give different keys.
   *
   * @since 0.2.0
   */
  readonly key: (service: string, ...parts: ReadonlyArray<string>) => string
  /**
   * Returns the consumer group of a service: `{service}-group`. It becomes a part of keys, so the rules for parts
   * apply.
   */
  readonly group: (service: string) => string
  /**
   * Returns the name of a consumer: `{service}-worker-{suffix}-{unique}`, without `{suffix}` if that is empty. `unique`
   * differs for each consumer.
   */
  readonly consumer: (service: string, suffix: string, unique: string) => string
  /** Returns the service that handles an action: the part of its type before the first dot. */
  readonly targetService: (actionType: string) => string
  /**
   * Returns the list for the answers of the service `answering` to one client, `instance`, of the service `client`:
   * `{prefix}:{environment}:{client}:responses:inbox:{instance}`. A client reads each distinct list on its own
   * connection; by default all answers use one list.
   */
  readonly inbox: (client: string, answering: string, instance: string) => string
  /**
   * Returns whether a worker may write to a name that comes from a message, for the given use. Names that are longer
   * than 1,024 characters or contain control characters are rejected beforehand, and an exception counts as a
   * rejection. A worker refuses to start with a naming that accepts a key of the library's own state, such as dead
   * letters or retries.
   */
  readonly accepts: (name: string, kind: Kind) => boolean
}

/**
 * The first parts of all names.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** At most 128 letters, digits, `_`, `.`, `:` and `-`. */
  readonly prefix: string
  /** At most 64 letters, digits, `_`, `.` and `-`. */
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
   * An invalid part of a name, or a naming that cannot be used. The message names the part, what was found and what is
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
 * Returns the name of a service, or the error if it is invalid. Valid names have 1 to 128 letters, digits, `_` or `-`.
 *
 * @since 0.1.0
 * @category checks
 */
export const checkService = (service: string): Result.Result<string, parts.QueueNameError> =>
  parts.checked(parts.service, service)

/**
 * Returns an action type, or the error if it is invalid. Valid types are `service.verb` or `service.entity.verb`, with
 * parts of letters, digits, `_` or `-`, at most 128 characters in all.
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

/** How a naming writes the first parts of a key, and where it puts answers. */
interface Form {
  /** What comes before and after the service. */
  readonly before: string
  readonly after: string
  readonly inbox: QueueNamingShape["inbox"]
}

const makeForm = (options: Options, formOf: (root: string, key: QueueNamingShape["key"]) => Form): QueueNamingShape => {
  const { need } = parts
  const root = `${need(parts.prefix, options.prefix)}:${need(parts.environment, options.environment)}:`
  const key = (service: string, ...rest: ReadonlyArray<string>): string => {
    let name = form.before + need(parts.service, service) + form.after
    for (const part of rest) name += `:${need(parts.keyPart, part)}`
    return name
  }
  const form = formOf(root, key)

  // Clients name their own lists, so anything may follow `responses:` or `callbacks:`. The kind has a fixed place after
  // a service without colons, so such a name can never be a stream or a retry key.
  const service = `${quoted(form.before)}[A-Za-z0-9_-]{1,128}${quoted(form.after)}`
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
    inbox: form.inbox,
    accepts: (name, kind) => name.length <= maxNameLength && patterns[kind].test(name)
  }
}

/**
 * Returns the names of the wire format for a prefix and an environment. Throws a {@link QueueNameError} if one of them
 * is invalid.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): QueueNamingShape =>
  makeForm(options, (root, key) => ({
    before: root,
    after: "",
    // An action type contains a dot, so its part of a list contains an underscore and cannot be `inbox`.
    inbox: (client, _answering, instance) => key(client, "responses", "inbox", parts.need(parts.instance, instance))
  }))

/**
 * Returns the names for Redis Cluster: `{prefix:environment:service}:streams:main`, and everything else of the service
 * under the same hash tag, so that all keys of a service are in one slot.
 *
 * **Details**
 *
 * The answers of a service are in its own slot too: `{prefix:environment:answering}:responses:inbox:client.instance`.
 * An answer and the acknowledgement of its action are written in one step, as on a single server. Throws a
 * {@link QueueNameError} if prefix or environment is invalid.
 *
 * **Example** (The names of a service)
 *
 * ```ts
 * import { QueueNaming } from "effect-redis-workers"
 *
 * const names = QueueNaming.makeCluster({ prefix: "shop", environment: "prod" })
 * console.log(names.key("user", "streams", "main")) // {shop:prod:user}:streams:main
 * ```
 *
 * @since 0.2.0
 * @category constructors
 */
export const makeCluster = (options: Options): QueueNamingShape =>
  makeForm(options, (root, key) => ({
    before: `{${root}`,
    after: "}",
    // Client and instance together may be longer than one part of a key.
    inbox: (client, answering, instance) =>
      `${key(answering, "responses", "inbox")}:${parts.need(parts.service, client)}.${
        parts.need(parts.instance, instance)
      }`
  }))

// -----------------------------------------------------------------------------
// Layers
// -----------------------------------------------------------------------------

/**
 * The names of the wire format, with prefix and environment from {@link Settings}. With the setting `QUEUE_HASH_TAGS`
 * (`queueHashTags`) these are the names of {@link layerCluster}.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<QueueNaming, never, Settings> = Layer.effect(
  QueueNaming,
  Effect.map(
    Settings,
    (settings) =>
      (settings.queueHashTags ? makeCluster : make)({ prefix: settings.queuePrefix, environment: settings.environment })
  )
)

/**
 * The names for Redis Cluster, with prefix and environment from {@link Settings}: see {@link makeCluster}.
 *
 * **Gotchas**
 *
 * All services that exchange actions need the same names, those in other languages included. On a single server the
 * names work as well. Existing streams keep their old names: work them off before you change.
 *
 * **Example** (A worker's layers on a cluster)
 *
 * ```ts
 * import { Layer } from "effect"
 * import { IoRedis, QueueNaming, Settings } from "effect-redis-workers"
 *
 * const AppLayer = Layer.mergeAll(
 *   IoRedis.layerCluster({ nodes: ["redis://node-1:6379", "redis://node-2:6379"] }),
 *   QueueNaming.layerCluster
 * ).pipe(Layer.provideMerge(Settings.layer))
 * ```
 *
 * @since 0.2.0
 * @category layers
 */
export const layerCluster: Layer.Layer<QueueNaming, never, Settings> = Layer.effect(
  QueueNaming,
  Effect.map(
    Settings,
    (settings) => makeCluster({ prefix: settings.queuePrefix, environment: settings.environment })
  )
)

/**
 * Provides your own naming.
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
 * All services that exchange actions need the same naming. `accepts` decides where a message can make a worker write:
 * accept only your own keys, and of those only lists below `responses` and `callbacks` and the stream `streams`,
 * `main`. Write `key`, `inbox` and `accepts` together: the functions of {@link make} know only the keys of {@link
 * make}.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerOf = (names: QueueNamingShape): Layer.Layer<QueueNaming> => Layer.succeed(QueueNaming, names)
