/** Streams and groups for the cases of several files. */
import * as Effect from "effect/Effect"
import { streamEntries } from "../../internal/redis/reply.ts"
import { block, key, send } from "./case.ts"

export const notGreater = "ERR The ID specified in XADD is equal or smaller than the target stream top item"

export const noGroup = (stream: string, group: string) => `NOGROUP No such key '${stream}' or consumer group '${group}'`

/** A stream of entries `1-0`, `2-0` and so on. */
export const filled = (name: string, count: number) =>
  Effect.gen(function*() {
    const stream = yield* key(name)
    for (let n = 1; n <= count; n++) yield* send("XADD", stream, `${n}-0`, "n", n)
    return stream
  })

/** A stream with the group `g` and entries `1-0`, `2-0` and so on. */
export const grouped = Effect.fnUntraced(function*(count: number) {
  const stream = yield* key("stream")
  yield* send("XGROUP", "CREATE", stream, "g", "0", "MKSTREAM")
  for (let n = 1; n <= count; n++) yield* send("XADD", stream, `${n}-0`, "n", n)
  return stream
})

/** An empty stream with the group `g`, which reads new entries only. */
export const newGroup = Effect.gen(function*() {
  const stream = yield* key("stream")
  yield* send("XGROUP", "CREATE", stream, "g", "$", "MKSTREAM")
  return stream
})

export const read = (stream: string, consumer: string, count = 100) =>
  Effect.map(
    send("XREADGROUP", "GROUP", "g", consumer, "COUNT", count, "STREAMS", stream, ">"),
    (reply) => streamEntries(reply).map(([id]) => id)
  )

/** Rows of the pending list without their idle times. */
export const pending = (stream: string) =>
  Effect.map(
    send<ReadonlyArray<readonly [string, string, number, number]>>("XPENDING", stream, "g", "-", "+", 1000),
    (rows) => rows.map(([id, consumer, , deliveries]) => [id, consumer, deliveries] as const)
  )

/** Makes an entry look as if it had been idle for so long. */
export const age = (stream: string, consumer: string, id: string, idle: number) =>
  send("XCLAIM", stream, "g", consumer, 0, id, "IDLE", idle, "JUSTID")

/** Starts a read that waits for new entries. */
export const reading = (stream: string, consumer: string, milliseconds: number) =>
  block("XREADGROUP", "GROUP", "g", consumer, "BLOCK", milliseconds, "STREAMS", stream, ">")
