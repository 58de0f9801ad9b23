/** Answers for another slot, which a worker forwards from the outbound stream of its service. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as DomainAction from "../../src/DomainAction.ts"
import { actionStream, callbackInbox } from "../../src/internal/redis/names.ts"
import { slotOf } from "../../src/internal/redis/slot.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Worker from "../../src/Worker.ts"
import { entriesOf, eventually, onServer, Place, send } from "../support/layers.ts"
import { quick } from "../support/world.ts"

const callback = (index: number) =>
  DomainAction.encode(DomainAction.make({
    action_id: `00000000-0000-4000-8000-00000000000${index}`,
    action_type: "order.done",
    timestamp: "2025-06-29T04:03:00.123456Z",
    data: { index }
  }))

const handlers = { "user.create": () => Effect.succeed({}) }

/** An answer as a settlement leaves it, when the worker ends before it is forwarded. */
const left = Effect.fnUntraced(function*(kind: "list" | "stream", key: string, payload: string) {
  const { names } = yield* Place
  assert.notStrictEqual(slotOf(key), slotOf(names.stream), "it crosses slots")
  const address = JSON.stringify([kind, key, 60_000, true, ""])
  return yield* send<string>("XADD", names.outbound, "*", "data", payload, "traceparent", address)
})

const forwarded = Effect.gen(function*() {
  const { names } = yield* Place
  yield* eventually(
    "the outbound stream is empty",
    Effect.map(send<number>("XLEN", names.outbound), (count) => count === 0)
  )
})

onServer("a worker forwards", (test) => {
  test("an answer that was forwarded and not removed once more, and a stream takes it once", () =>
    Effect.gen(function*() {
      const naming = yield* QueueNaming.QueueNaming
      const stream = actionStream(naming, "order")
      const list = callbackInbox(naming, "order", "order.done")
      for (let times = 0; times < 2; times++) {
        yield* left("stream", stream, callback(1))
        yield* left("list", list, callback(2))
      }
      yield* left("stream", stream, callback(3))
      yield* Worker.start(handlers, quick)
      yield* forwarded
      const data = (yield* entriesOf(stream)).map(([, fields]) => fields[1])
      assert.sameMembers(data, [callback(1), callback(3)])
      assert.deepStrictEqual(
        yield* send("LRANGE", list, 0, -1),
        [callback(2), callback(2)],
        "a list takes it at least once"
      )
    }))

  test("what another worker took half a minute ago, and leaves the rest to it", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const naming = yield* QueueNaming.QueueNaming
      const stream = actionStream(naming, "order")
      const old = yield* left("stream", stream, callback(1))
      yield* left("stream", stream, callback(2))
      yield* send("XGROUP", "CREATE", names.outbound, "outbound", "0")
      yield* send("XREADGROUP", "GROUP", "outbound", "forwarder", "STREAMS", names.outbound, ">")
      yield* send("XCLAIM", names.outbound, "outbound", "forwarder", 0, old, "IDLE", 31_000, "JUSTID")
      yield* Worker.start(handlers, quick)
      yield* eventually(
        "the old one is forwarded",
        Effect.map(entriesOf(stream), (entries) => entries.length === 1)
      )
      assert.deepStrictEqual((yield* entriesOf(stream)).map(([, fields]) => fields[1]), [callback(1)])
      yield* eventually(
        "it is removed",
        Effect.map(send<number>("XLEN", names.outbound), (count) => count === 1)
      )
    }))
})
