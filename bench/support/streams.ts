/**
 * The stream that this library and the loops written by hand share: names, backlog, and what is left of it.
 */
import { Redis } from "ioredis"
import * as Actions from "./actions.ts"
import type { Task } from "./system.ts"

export const environment = "bench"
export const service = "user"
export const stream = `nooble4:${environment}:${service}:streams:main`
export const group = `${service}-group`

export const connect = (url: string): Redis => new Redis(url)

/** Appends the backlog with a plain pipeline, 500 entries in one. */
export const send: Task = async (work) => {
  const redis = connect(work.url)
  await redis.ping()
  const started = performance.now()
  for (let from = work.from; from < work.total; from += 500) {
    const pipeline = redis.pipeline()
    const to = Math.min(work.total, from + 500)
    for (let sequence = from; sequence < to; sequence++) {
      pipeline.xadd(stream, "*", "data", Actions.actionText(sequence))
    }
    for (const [error] of await pipeline.exec() ?? []) if (error !== null) throw error
  }
  const seconds = (performance.now() - started) / 1000
  redis.disconnect()
  return { seconds, wrong: 0, left: 0, handled: work.total }
}

export const makeGroup = async (redis: Redis): Promise<void> => {
  try {
    await redis.xgroup("CREATE", stream, group, "0", "MKSTREAM")
  } catch (error) {
    if (!String(error).includes("BUSYGROUP")) throw error
  }
}

/** Entries pending or not delivered. */
export const left = async (url: string): Promise<number> => {
  const redis = connect(url)
  const summary = await redis.xpending(stream, group)
  const unread = await redis.xreadgroup("GROUP", group, "left", "COUNT", 1, "STREAMS", stream, ">")
  redis.disconnect()
  return Number(summary[0]) + (unread === null ? 0 : 1)
}
