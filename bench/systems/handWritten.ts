/**
 * The loop that a user would write by hand with ioredis: a hundred entries a read, one `XACK` and one `XDEL` for all of
 * them. No contract, no retries, no fence, no recovery.
 */
import type { Redis } from "ioredis"
import { setTimeout as wait } from "node:timers/promises"
import * as Actions from "../support/actions.ts"
import { connect, environment, group, left, makeGroup, send, service, stream } from "../support/streams.ts"
import type { System, Task, Work } from "../support/system.ts"
import * as Tally from "../support/tally.ts"

export interface Action {
  readonly action_id: string
  readonly correlation_id: string
  readonly callback_queue_name: string
  readonly data: Actions.Payload
}

export const read = async (
  redis: Redis,
  count: number
): Promise<ReadonlyArray<readonly [id: string, data: string]>> => {
  const reply = await redis.xreadgroup(
    ...["GROUP", group, `by-hand-${process.pid}`, "COUNT", count, "BLOCK", 200, "STREAMS", stream, ">"] as const
  )
  return reply === null ? [] : reply[0]![1].map(([id, fields]) => [id, fields![1]!] as const)
}

const loop = async (redis: Redis, handle: (action: Action) => Promise<void>, isOver: () => boolean) => {
  while (!isOver()) {
    const entries = await read(redis, 100)
    const ids: Array<string> = []
    for (const [id, data] of entries) {
      await handle(JSON.parse(data) as Action)
      ids.push(id)
    }
    if (ids.length > 0) await redis.pipeline().xack(stream, group, ...ids).xdel(stream, ...ids).exec()
  }
}

/** As many handlers at once as there are slots; each entry is settled for itself. */
const pool = async (redis: Redis, writer: Redis, work: Work, handle: (action: Action) => Promise<void>) => {
  let running = 0
  let handled = 0
  let free = Promise.withResolvers<void>()
  const run = async (id: string, data: string) => {
    await handle(JSON.parse(data) as Action)
    await writer.pipeline().xack(stream, group, id).xdel(stream, id).exec()
    running--
    handled++
    free.resolve()
  }
  while (handled < work.total) {
    if (running === work.concurrency || handled + running === work.total) {
      free = Promise.withResolvers<void>()
      await free.promise
      continue
    }
    for (const [id, data] of await read(redis, work.concurrency - running)) {
      running++
      void run(id, data)
    }
  }
}

const drain: Task = async (work, parent) => {
  const redis = connect(work.url)
  const writer = connect(work.url)
  await makeGroup(redis)
  const tally = Tally.make(work)
  if (work.delay > 0) {
    await pool(redis, writer, work, async ({ data }) => {
      await wait(work.delay)
      tally.mark(data.sequence)
    })
  } else {
    const until = async (end: Promise<void>) => {
      let over = false
      void end.then(() => over = true)
      await loop(redis, async ({ data }) => tally.mark(data.sequence), () => over)
    }
    if (work.inTwo) {
      await until(tally.warmed)
      await parent.ready()
      tally.begin()
    }
    await until(tally.all)
  }
  const report = await tally.end(() => left(work.url))
  redis.disconnect()
  writer.disconnect()
  return report
}

const serve: Task = async (work, parent) => {
  const redis = connect(work.url)
  const writer = connect(work.url)
  await makeGroup(redis)
  const tally = Tally.make(work)
  let over = false
  void parent.stopped.then(() => over = true)
  await parent.ready()
  await loop(redis, async (action) => {
    tally.mark(action.data.sequence)
    const answer = {
      action_id: action.action_id,
      correlation_id: action.correlation_id,
      success: true,
      timestamp: new Date().toISOString(),
      data: { userId: `u-${action.data.sequence}` }
    }
    void writer.lpush(action.callback_queue_name, JSON.stringify(answer))
  }, () => over)
  const report = await tally.end()
  redis.disconnect()
  writer.disconnect()
  return report
}

const share: Task = async (work, parent) => {
  const redis = connect(work.url)
  await makeGroup(redis)
  const tally = Tally.make(work, true)
  let over = false
  void parent.stopped.then(() => over = true)
  await parent.ready()
  await loop(redis, async ({ data }) => tally.mark(data.sequence), () => over)
  const report = await tally.end()
  redis.disconnect()
  return report
}

/** A connection and a list for each request that waits. */
const request: Task = async (work, parent) => {
  const sender = connect(work.url)
  const waiters = Array.from({ length: work.inFlight }, () => connect(work.url))
  await Promise.all([sender, ...waiters].map((redis) => redis.ping()))
  await parent.ready()
  const report = await Tally.callers(work, async (sequence, lane) => {
    const correlationId = Actions.idOf(sequence)
    const list = `nooble4:${environment}:${service}:responses:user_create:${correlationId}`
    await sender.xadd(stream, "*", "data", Actions.actionText(sequence, { list, correlationId }))
    const reply = await waiters[lane]!.brpop(list, 10)
    const answer = reply === null ? null : JSON.parse(reply[1]) as { readonly data: { readonly userId: string } }
    return answer?.data.userId === `u-${sequence}`
  })
  for (const redis of [sender, ...waiters]) redis.disconnect()
  return report
}

export const system: System = { send, drain, share, serve, request }
