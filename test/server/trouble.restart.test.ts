/**
 * A server that restarts or is replaced, for a whole worker and its callers.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import * as Metrics from "../../src/Metrics.ts"
import * as Proxy from "../support/proxy.ts"
import * as Server from "../support/redisServer.ts"
import * as Trouble from "../support/troubleWorld.ts"
import { until } from "../support/until.ts"

const onDisk = ["appendonly yes", "appendfsync always"]

describe("a server that restarts", () => {
  it.live("empty: the group is created again from the beginning, counted and logged", () =>
    Effect.gen(function*() {
      const { client, load, process, world } = yield* Trouble.working()
      yield* load.stop
      yield* Trouble.nothingLost(world, load.accepted)

      yield* world.server.stop
      yield* Trouble.troubledBy(process, "Connection")
      yield* Trouble.endure(world, process)
      yield* world.server.restart
      // In the stream before its group is.
      const after = yield* Trouble.startLoad(client, "after")

      yield* Trouble.worksAgain(world, process, after)
      assert.strictEqual(yield* world.counter(Metrics.groupsRestored), 1)
      assert.strictEqual(
        world.logged(/^Warn The group user-group of .* was missing and has been created again/).length,
        1
      )
    }))

  it.live("without its stream and group gets both again from the worker", () =>
    Effect.gen(function*() {
      const { load, process, world } = yield* Trouble.working()
      for (let round = 1; round <= 3; round++) {
        const kept = new Set(load.accepted)
        yield* world.server.cli("DEL", world.names.stream)
        yield* until(
          "the group is created again",
          Effect.map(world.counter(Metrics.groupsRestored), (count) => count === round)
        )
        yield* until("it goes on", Effect.sync(() => load.accepted.size > kept.size + 20))
        yield* Trouble.handledMore(world)
      }
      assert.strictEqual((yield* process.worker.status).state, "running")
      yield* load.stop
      // What was deleted is lost; everything else is not.
      yield* Trouble.nothingLost(world, load.answered)
    }))

  it.live("with its append-only file: nothing is lost", () =>
    Effect.gen(function*() {
      const { load, process, world } = yield* Trouble.working({ config: onDisk })
      for (let round = 0; round < 2; round++) {
        yield* world.server.stop
        yield* Trouble.troubledBy(process, "Connection")
        yield* world.server.restart
        yield* Trouble.recovered(process)
        yield* Trouble.handledMore(world)
      }
      yield* Trouble.worksAgain(world, process, load)
      assert.strictEqual(yield* world.counter(Metrics.groupsRestored), 0)
    }))

  it.live("and loads for a while: commands wait for it, and callers get an error", () =>
    Effect.gen(function*() {
      // A millisecond for each key, as a large data set on a slow disk takes it.
      const { load, process, world } = yield* Trouble.working({
        config: ["key-load-delay 1000", "loading-process-events-interval-bytes 1024", "dbfilename dump.rdb"]
      })
      yield* load.stop
      yield* Trouble.nothingLost(world, load.accepted)
      for (let some = 0; some < 2_500; some += 500) {
        const pairs = Array.from({ length: 500 }, (_, index) => [`k${some + index}`, "x".repeat(200)]).flat()
        yield* world.server.cli("MSET", ...pairs)
      }
      yield* world.server.cli("SAVE")

      const restarting = yield* Effect.forkChild(world.server.restart)
      yield* Trouble.troubledBy(process, "Loading")
      const client = yield* Trouble.startLoad(yield* world.startClient({ connectTimeout: "15 seconds" }))
      yield* Fiber.join(restarting)

      yield* Trouble.worksAgain(world, process, client)
      assert.strictEqual(yield* world.counter(Metrics.groupsRestored), 0)
    }))
})

/** Another server in the place of one that is gone: where clients are sent after a failover. */
const inPlaceOf = (port: number, target: number): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function*() {
    const sockets = new Set<Net.Socket>()
    const listener = Net.createServer((client) => {
      const server = Net.connect(target, "127.0.0.1")
      for (const [one, other] of [[client, server], [server, client]] as const) {
        sockets.add(one)
        one.on("error", () => {})
        one.on("close", () => other.destroy())
        one.pipe(other)
      }
    })
    yield* Effect.callback<void>((resume) => {
      listener.listen(port, "127.0.0.1", () => resume(Effect.void))
    })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        listener.close()
        for (const socket of sockets) socket.destroy()
      })
    )
  })

describe("a failover", () => {
  it.live("to a replica without the last writes: what it has is handled, the worker goes on", () =>
    Effect.gen(function*() {
      const open = yield* Latch.make(true)
      const { client, load, process, world } = yield* Trouble.working({ handle: () => open.await })
      const replica = yield* Server.start()
      const link = yield* Proxy.start(world.server.port)
      yield* replica.cli("REPLICAOF", "127.0.0.1", link.port)
      yield* until(
        "the replica follows",
        Effect.map(replica.cli("INFO", "replication"), (info) => String(info).includes("master_link_status:up"))
      )
      yield* load.stop
      yield* Trouble.nothingLost(world, load.accepted)

      // The replica has these entries, and then nothing more: not their settlement, nor what comes later.
      const keysOf = (prefix: string) => Array.from({ length: 20 }, (_, index) => `${prefix}-${index}`)
      yield* open.close
      yield* client.sendMany(Trouble.Do, keysOf("known").map((key) => ({ key })))
      yield* until(
        "the replica has them, delivered",
        Effect.map(
          replica.cli("XPENDING", world.names.stream, world.names.group),
          (reply) => (reply as ReadonlyArray<unknown>)[0] === 20
        )
      )
      yield* link.blackhole()
      yield* open.open
      yield* client.sendMany(Trouble.Do, keysOf("unknown").map((key) => ({ key })))
      yield* Trouble.nothingLost(world, [...keysOf("known"), ...keysOf("unknown")])
      yield* world.server.stop
      yield* replica.cli("REPLICAOF", "NO", "ONE")
      yield* inPlaceOf(world.server.port, replica.port)

      const promoted = { ...world, server: replica }
      const after = yield* Trouble.startLoad(client, "after")
      yield* Trouble.recovered(process)
      yield* Trouble.handledMore(world)
      yield* after.stop
      yield* Trouble.nothingLost(promoted, after.accepted)
      // Their settlement was lost with the old master, so that they were run again: at least once means this.
      for (const key of keysOf("known")) assert.strictEqual(world.handled.get(key), 2, key)
      for (const key of keysOf("unknown")) assert.strictEqual(world.handled.get(key), 1, key)
      assert.strictEqual(yield* world.counter(Metrics.groupsRestored), 0)
    }))
})
