/**
 * Many parked actions that are due at once, on a real server whose memory is full.
 */
import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Metrics from "../../src/Metrics.ts"
import * as Schedules from "../../src/Schedules.ts"
import { withDue } from "../support/parked.ts"
import * as Trouble from "../support/troubleWorld.ts"
import { until } from "../support/until.ts"

const noneParked = ({ names, server }: Trouble.World) =>
  Effect.map(server.cli("EXISTS", names.parkedDue, names.parkedEntries), (count) => assert.strictEqual(count, 0))

describe("10,000 parked actions that are due at once", () => {
  it.live(
    "all run once while the server's memory is full, and a sender of another is refused",
    () =>
      Effect.gen(function*() {
        const { client, keys, world } = yield* withDue(10_000)
        yield* world.server.cli("CONFIG", "SET", "maxmemory", "1")
        const error = yield* Effect.flip(client.send(Trouble.Do, { key: "refused" }, { delay: "1 hour" }))
        assert.strictEqual(error._tag, "RedisError")
        yield* world.startWorker()
        yield* until(
          "none is parked",
          Effect.map(world.server.cli("ZCARD", world.names.parkedDue), (left) => left === 0)
        )
        yield* Trouble.nothingLost(world, keys)
        yield* noneParked(world)
        assert.strictEqual(world.handled.size, keys.length)
        for (const [key, times] of world.handled) assert.strictEqual(times, 1, key)
        assert.strictEqual(yield* world.counter(Metrics.promoted), keys.length)
      }),
    60_000
  )
})

describe("A schedule", () => {
  it.live(
    "fires each slot once, the ones from before and after included, when the server's memory was full while they were due",
    () =>
      Effect.gen(function*() {
        const slots: Array<number> = []
        const world = yield* Trouble.make({
          handle: (_, { scheduledFor }) => Effect.sync(() => slots.push(DateTime.toEpochMillis(scheduledFor!)))
        })
        const each = Schedules.every("tick", {
          action: Trouble.Do,
          payload: { key: "tick" },
          every: "1 second",
          missed: { all: "1 hour" }
        })
        yield* world.startWorker({ schedules: [each] })
        const fired = (count: number) => until(`${count} slots fired`, Effect.sync(() => slots.length >= count))
        yield* fired(2)
        yield* world.server.cli("CONFIG", "SET", "maxmemory", "1")
        yield* until("the server refuses to fire", Effect.sync(() => world.logged(/OOM/).length > 0))
        const before = slots.length
        const secondsOf = Effect.map(world.server.cli("TIME"), (reply) => Number((reply as [string])[0]))
        const from = yield* secondsOf
        yield* until("three slots were due", Effect.map(secondsOf, (seconds) => seconds > from + 3))
        assert.isAtMost(slots.length, before + 1)
        yield* world.server.cli("CONFIG", "SET", "maxmemory", "0")
        yield* fired(before + 5)
        const gaps = slots.slice(1).map((slot, index) => slot - slots[index]!)
        assert.isTrue(gaps.every((gap) => gap === 1_000), `gaps of ${gaps.join(", ")} ms`)
      }),
    60_000
  )
})
