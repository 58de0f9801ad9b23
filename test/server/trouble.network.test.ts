/**
 * Trouble of the network, for a whole worker and its callers: refused, cut, silent.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Metrics from "../../src/Metrics.ts"
import * as Trouble from "../support/troubleWorld.ts"
import { until } from "../support/until.ts"

const down = /^Warn (Redis failed|Lost the Redis connection)/
const up = /^Info (Redis works again|Reconnected)/

describe("a worker and its callers", () => {
  it.live("go on after connections were refused", () =>
    Effect.gen(function*() {
      const { load, process, world } = yield* Trouble.working()

      yield* world.proxy.refuse
      yield* world.proxy.cut()
      yield* Trouble.troubledBy(process, "Connection")
      yield* Trouble.endure(world, process)
      yield* world.proxy.resume

      yield* Trouble.recovered(process)
      yield* Trouble.handledMore(world)
      yield* load.stop
      assert.isAtLeast(load.failures.get("RedisError") ?? 0, 1)
      yield* Trouble.nothingLost(world, load.accepted)
      assert.isAtLeast(yield* world.counter(Metrics.reconnects), 1)
      assert.lengthOf(world.logged(down), 1, world.logged(/Redis/).join("\n"))
      yield* until("the return is logged", Effect.sync(() => world.logged(up).length === 1))
    }))

  for (
    const [what, target] of [
      ["entries that a read took", /^user-worker-/],
      ["the reply of a settlement", /:command:worker:/],
      ["answers", /:responses:inbox:/]
    ] as const
  ) {
    it.live(`go on after ${what} were cut off in the middle`, () =>
      Effect.gen(function*() {
        const { load, process, world } = yield* Trouble.working()
        for (const bytes of [0, 1, 30, 150, 400]) {
          const before = world.logged(down).length
          yield* world.proxy.cutAfter(bytes, { name: target })
          yield* until("the cut is noticed", Effect.sync(() => world.logged(down).length > before))
          yield* until("the outage is over", Effect.sync(() => world.logged(up).length === world.logged(down).length))
          yield* Trouble.handledMore(world)
        }
        yield* load.stop
        yield* Trouble.nothingLost(world, load.accepted)
        yield* Trouble.recovered(process)
        // A reply that was lost is no reason to run a handler again: the process lives, and knows what it ran.
        const twice = [...world.handled].filter(([, times]) => times > 1)
        assert.deepStrictEqual(twice, [])
      }))
  }

  it.live("go on after commands arrived and replies did not", () =>
    Effect.gen(function*() {
      const { load, process, world } = yield* Trouble.working()
      yield* world.proxy.dropReplies()
      yield* Trouble.troubledBy(process, "Connection")
      yield* Trouble.endure(world, process)
      yield* world.proxy.resume
      yield* world.proxy.cut()
      yield* Trouble.worksAgain(world, process, load)
      assert.isAtLeast(load.failures.size, 1)
    }))

  it.live("go on after their connections were silent without an end", () =>
    Effect.gen(function*() {
      const { load, process, world } = yield* Trouble.working()

      yield* world.proxy.blackhole()
      yield* Trouble.troubledBy(process, "Connection")
      yield* Trouble.endure(world, process)
      yield* world.proxy.resume

      yield* Trouble.recovered(process)
      yield* Trouble.handledMore(world)
      // The server never heard that the old connections are gone: a read left behind would take entries to nowhere.
      const clients = String(yield* world.server.cli("CLIENT", "LIST"))
      const readers = [...clients.matchAll(/ name=(user-worker-\S+)/g)].map((match) => match[1])
      assert.strictEqual(readers.length, new Set(readers).size, clients)
      yield* load.stop
      assert.isAtLeast(load.failures.size, 1)
      yield* Trouble.nothingLost(world, load.accepted)
      assert.isAtLeast(yield* world.counter(Metrics.reconnects), 1)
    }))
})
