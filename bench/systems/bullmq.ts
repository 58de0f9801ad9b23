/**
 * BullMQ, its jobs removed once they are complete.
 */
import { Queue, QueueEvents, Worker } from "bullmq"
import { setTimeout as wait } from "node:timers/promises"
import * as Actions from "../support/actions.ts"
import type { System, Work } from "../support/system.ts"
import * as Tally from "../support/tally.ts"

const name = "bench"
const connectionOf = (work: Work) => {
  const { hostname, port } = new URL(work.url)
  return { host: hostname, port: Number(port), maxRetriesPerRequest: null }
}
const optionsOf = (work: Work) => ({
  connection: connectionOf(work),
  autorun: false,
  concurrency: work.concurrency,
  removeOnComplete: { count: 0 }
})

export const system: System = {
  send: async (work) => {
    const queue = new Queue(name, { connection: connectionOf(work) })
    await queue.waitUntilReady()
    const started = performance.now()
    for (let from = 0; from < work.total; from += 500) {
      await queue.addBulk(
        Array.from({ length: Math.min(500, work.total - from) }, (_, index) => ({
          name: Actions.actionType,
          data: Actions.message(from + index),
          opts: work.due > 0 ? { delay: work.due - Date.now() } : {}
        }))
      )
    }
    const seconds = (performance.now() - started) / 1000
    await queue.close()
    return { seconds, wrong: work.due > 0 && Date.now() > work.due ? work.total : 0, left: 0, handled: work.total }
  },

  drain: async (work) => {
    const tally = Tally.make(work)
    const worker = new Worker<Actions.Payload>(name, async ({ data }) => {
      if (work.delay > 0) await wait(work.delay)
      tally.mark(data.sequence)
    }, optionsOf(work))
    const { promise, resolve } = Promise.withResolvers<void>()
    let completed = 0
    worker.on("completed", () => {
      if (++completed === work.total) resolve()
    })
    await worker.waitUntilReady()
    void worker.run()
    await promise
    const report = await tally.end(async () => {
      const queue = new Queue(name, { connection: connectionOf(work) })
      const counts = await queue.getJobCounts("waiting", "active", "delayed", "failed", "prioritized")
      await queue.close()
      return Object.values(counts).reduce((sum, next) => sum + next, 0)
    })
    await worker.close()
    return report
  },

  serve: async (work, parent) => {
    const tally = Tally.make(work)
    const worker = new Worker<Actions.Payload>(name, async ({ data }) => {
      tally.mark(data.sequence)
      return { userId: `u-${data.sequence}` }
      // Whoever waits for a job looks it up: it must not be removed before.
    }, { ...optionsOf(work), concurrency: 100, removeOnComplete: { count: 5_000 } })
    await worker.waitUntilReady()
    void worker.run()
    await parent.ready()
    await parent.stopped
    const report = await tally.end()
    await worker.close()
    return report
  },

  request: async (work, parent) => {
    const queue = new Queue<Actions.Payload, { readonly userId: string }>(name, { connection: connectionOf(work) })
    const events = new QueueEvents(name, { connection: connectionOf(work) })
    events.setMaxListeners(0)
    queue.setMaxListeners(0)
    await Promise.all([queue.waitUntilReady(), events.waitUntilReady()])
    await parent.ready()
    const report = await Tally.callers(work, async (sequence) => {
      const job = await queue.add(Actions.actionType, Actions.message(sequence))
      const answer = await job.waitUntilFinished(events, 10_000)
      return answer.userId === `u-${sequence}`
    })
    await events.close()
    await queue.close()
    return report
  }
}
