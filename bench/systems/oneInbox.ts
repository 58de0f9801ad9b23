/**
 * What a user would write by hand who knows it all: one list and one connection for all answers to a process, answers in
 * batches, and the commands of one turn of the event loop in one write. Without contract, fence and timeouts: about the
 * least that ioredis needs for a request.
 */
import type { ChainableCommander, Redis } from "ioredis"
import * as Actions from "../support/actions.ts"
import { connect, environment, group, makeGroup, service, stream } from "../support/streams.ts"
import type { System, Task } from "../support/system.ts"
import * as Tally from "../support/tally.ts"
import { type Action, read, system as handWritten } from "./handWritten.ts"

const serve: Task = async (work, parent) => {
  const redis = connect(work.url)
  const writer = connect(work.url)
  await makeGroup(redis)
  const tally = Tally.make(work)
  let over = false
  void parent.stopped.then(() => over = true)
  await parent.ready()
  const isOver = () => over
  while (!isOver()) {
    const entries = await read(redis, 100)
    if (entries.length === 0) continue
    const answers = new Map<string, Array<string>>()
    for (const [, data] of entries) {
      const action = JSON.parse(data) as Action
      tally.mark(action.data.sequence)
      const list = answers.get(action.callback_queue_name) ?? []
      answers.set(action.callback_queue_name, list)
      list.push(JSON.stringify({
        action_id: action.action_id,
        correlation_id: action.correlation_id,
        success: true,
        timestamp: new Date().toISOString(),
        data: { userId: `u-${action.data.sequence}` }
      }))
    }
    const ids = entries.map(([id]) => id)
    const settling = writer.pipeline()
    for (const [list, texts] of answers) settling.lpush(list, ...texts)
    void settling.xack(stream, group, ...ids).xdel(stream, ...ids).exec()
  }
  const report = await tally.end()
  redis.disconnect()
  writer.disconnect()
  return report
}

interface Answer {
  readonly correlation_id: string
  readonly data: { readonly userId: string }
}

const makeInbox = (redis: Redis, list: string) => {
  const waiting = new Map<string, (answer: Answer) => void>()
  let over = false
  const isOver = () => over
  const loop = async () => {
    while (!isOver()) {
      const [, texts] = await redis.blmpop(0.2, 1, list, "RIGHT", "COUNT", 100) ?? ["", []]
      for (const text of texts) {
        const answer = JSON.parse(text) as Answer
        waiting.get(answer.correlation_id)?.(answer)
        waiting.delete(answer.correlation_id)
      }
    }
  }
  const ended = loop()
  return {
    answerTo: (correlationId: string) => new Promise<Answer>((resolve) => waiting.set(correlationId, resolve)),
    end: async () => {
      over = true
      await ended
    }
  }
}

const request: Task = async (work, parent) => {
  const sender = connect(work.url)
  const reader = connect(work.url)
  await Promise.all([sender.ping(), reader.ping()])
  await parent.ready()
  const list = `nooble4:${environment}:${service}:responses:${process.pid}`
  const inbox = makeInbox(reader, list)
  let gathered: ChainableCommander | undefined
  const send = (text: string) => {
    if (gathered === undefined) {
      gathered = sender.pipeline()
      setImmediate(() => {
        void gathered?.exec()
        gathered = undefined
      })
    }
    gathered.xadd(stream, "*", "data", text)
  }
  const report = await Tally.callers(work, async (sequence) => {
    const correlationId = Actions.idOf(sequence)
    const answer = inbox.answerTo(correlationId)
    send(Actions.actionText(sequence, { list, correlationId }))
    return (await answer).data.userId === `u-${sequence}`
  })
  await inbox.end()
  for (const redis of [sender, reader]) redis.disconnect()
  return report
}

export const system: System = { send: handWritten.send, serve, request }
