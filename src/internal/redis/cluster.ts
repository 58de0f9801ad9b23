/** What a worker and a client ask when their server is a Redis Cluster. */
import type { QueueNamingShape } from "../../QueueNaming.ts"
import type { Redis } from "../../Redis.ts"
import { InvalidOption } from "../base/invalidOption.ts"
import { actionStream, inbox, type Names } from "./names.ts"
import { slotOf, tagOf } from "./slot.ts"

/** A property, so that a service that wraps another one with `{ ...redis }` has it too. */
const mark = Symbol("effect-redis-workers/cluster")

/** Registers a layer that speaks to a cluster. */
export const register = (redis: Redis["Service"]): void => {
  Object.assign(redis, { [mark]: true })
}

export const isCluster = (redis: Redis["Service"]): boolean => mark in redis

/** Whether a key is in another slot than `own`; `undefined` for a single server, which has no slots. */
export const slotsOf = (redis: Redis["Service"], own: string): ((key: string) => boolean) | undefined => {
  if (!isCluster(redis)) return undefined
  const slot = slotOf(own)
  const tag = tagOf(own)
  // The same tag is found without a hash, and most answers have it.
  return (key) => (tag === undefined || tagOf(key) !== tag) && slotOf(key) !== slot
}

/** Two keys that a cluster keeps in different slots, as part of a sentence; `undefined` if all are in one. */
const spreadOf = (keys: ReadonlyArray<string>): string | undefined => {
  const slots = new Set(keys.map(slotOf))
  if (slots.size === 1) return undefined
  const other = keys.find((key) => slotOf(key) !== slotOf(keys[0]!))
  return `${slots.size} slots of the Redis Cluster (${keys[0]} and ${other}, for example)`
}

const advice = "set QUEUE_HASH_TAGS=true, or provide QueueNaming.layerCluster"

/** Why the keys of a service cannot be used on this server; `undefined` if they can. */
export const problemOfNames = (
  redis: Redis["Service"],
  naming: QueueNamingShape,
  names: Names
): string | undefined => {
  if (!isCluster(redis)) return undefined
  const { group: _, service, waitingConsumer: __, ...keys } = names
  const spread = spreadOf([...Object.values(keys), inbox(naming, "a", service, "a")])
  return spread && `The keys of service "${service}" are in ${spread}, and a worker needs them in one: ${advice}`
}

/** Why a client cannot get answers from a service on this server; `undefined` if it can. */
export const problemOfAnswers = (
  redis: Redis["Service"],
  naming: QueueNamingShape,
  service: string
): InvalidOption | undefined => {
  if (!isCluster(redis)) return undefined
  const spread = spreadOf([actionStream(naming, service), inbox(naming, service, service, "a")])
  return spread === undefined ? undefined : new InvalidOption({
    option: "naming",
    found: `one with the actions of a service and the answers to them in ${spread}`,
    expected: `one slot. ${advice[0]!.toUpperCase()}${advice.slice(1)}`
  })
}
