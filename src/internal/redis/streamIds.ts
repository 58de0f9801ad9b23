/**
 * Computes how many entry ids a stream has left. Ids only grow, so one entry with the last possible id ends the stream
 * for all senders.
 */
import type { RedisError } from "../../Redis.ts"
import { textOf } from "./failure.ts"
import { redisError } from "./redisError.ts"

const last = (1n << 64n) - 1n

/** The number of entries that can still be added after an id; `undefined` for a text that is not an id. */
export const idsLeft = (lastId: string): bigint | undefined => {
  const parts = /^(\d{1,20})-(\d{1,20})$/.exec(lastId)
  if (parts === null) return undefined
  return (last - BigInt(parts[1]!)) * (last + 1n) + (last - BigInt(parts[2]!))
}

export type IdSupply = "ample" | "scarce" | "exhausted"

/** Scarce: the time of the newest id is the last possible one, so only its sequence can grow. */
export const supplyOf = (lastId: string): IdSupply => {
  const left = idsLeft(lastId)
  return left === undefined || left > last ? "ample" : left === 0n ? "exhausted" : "scarce"
}

const remedy = "See \"A stream without ids\" in docs/security.md for the repair"

/** The problem with the newest id of a stream, for logs; `undefined` if there is none. */
export const problemOf = (stream: string, lastId: string): string | undefined => {
  switch (supplyOf(lastId)) {
    case "ample":
      return undefined
    case "exhausted":
      return `Nothing can be sent to ${stream}: an entry was added with the last possible id (${lastId}). ` +
        `Entries in the stream are still handled. ${remedy}`
    case "scarce":
      return `${stream} can take only ${
        idsLeft(lastId)
      } more entries: an entry was added with an id close to the last ` +
        `possible one (the newest is ${lastId}). ${remedy}`
  }
}

const exhausted = /exhausted the last possible ID/

/** The server's error, or its meaning for a sender. */
export const explainText = (stream: string, text: string): string =>
  exhausted.test(text)
    ? `Nothing was sent: ${stream} accepts no more entries, because one was added with the last possible id. ` +
      `A retry does not help. ${remedy}. The server said: ${text}`
    : text

const elsewhere = /^MOVED \d+ [^ ]+$/

/** What to do when the layer of one server has a node of a cluster. The first word stays, which says the kind. */
const useCluster =
  "This server is a node of a Redis Cluster, and the layer is for one server. Use IoRedis.layerCluster " +
  "and QueueNaming.layerCluster (REDIS_CLUSTER=true, QUEUE_HASH_TAGS=true)"

/** Explains the error of an append to a stream without ids left, or on another node. Other errors stay the same. */
export const explain = (stream: string, error: RedisError): RedisError => {
  const text = textOf(error)
  if (exhausted.test(text)) return redisError(new Error(explainText(stream, text), { cause: error.cause }))
  return elsewhere.test(text) ? redisError(new Error(`${text}. ${useCluster}`, { cause: error.cause })) : error
}
