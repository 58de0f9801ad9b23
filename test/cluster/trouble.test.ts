/** A service under load while its slot moves and its node fails over, against a ledger outside Redis. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { failureOf } from "../../src/internal/redis/failure.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as Redis from "../../src/Redis.ts"
import * as Cluster from "../support/cluster.ts"
import * as Load from "../support/clusterLoad.ts"
import * as proxy from "../support/proxy.ts"
import { until } from "../support/until.ts"

describe("a service under load on a cluster", () => {
  it.live(
    "loses no action, no lease and no request, and buries nothing, while its slot is between two nodes for longer than a lease",
    () =>
      Effect.gen(function*() {
        const cluster = yield* Cluster.start({ replicas: false })
        const load = yield* Load.make(cluster)
        const { ledger, names } = load
        const before = yield* load.leasesLost
        const sending = yield* Effect.forkChild(load.send(4_000, 12_000), { startImmediately: true })
        yield* until(
          "there are handlers that run, requests that wait, retries and dead letters in the slot",
          Effect.gen(function*() {
            const retries = yield* load.redis.send<number>("ZCARD", names.retryDue)
            return ledger.running.size > 0 && ledger.open.size > 0 && retries > 0 && (yield* load.letters).size > 0
          })
        )
        const move = yield* cluster.beginMove(names.stream)
        // What needs keys of both nodes waits from here on.
        yield* move.keys(2)
        yield* until(
          "handlers have ended that no settlement could be written for",
          Effect.sync(() => ledger.running.size === 0 && ledger.open.size > 0)
        )
        yield* Effect.sleep(1.5 * Load.lease)
        assert.isAbove(ledger.open.size, 0, "requests wait for the move")
        yield* move.end
        yield* Fiber.join(sending)
        yield* load.drained
        const letters = yield* load.letters
        assert.deepStrictEqual(load.lostOf(letters), [])
        assert.deepStrictEqual(load.buriedOf(letters), [], "only what its handler gives up is buried")
        assert.strictEqual(ledger.open.size, 0, "no request hangs")
        assert.strictEqual(ledger.failedRequests, 0, "each request has its answer")
        assert.strictEqual((yield* load.leasesLost) - before, 0, "no lease is lost")
        assert.deepStrictEqual([...ledger.handled].filter(([, times]) => times > 1), [], "nothing ran twice")
      }),
    120_000
  )

  it.live("loses nothing in a failover by command", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.start()
      const load = yield* Load.make(cluster)
      const sending = yield* Effect.forkChild(load.send(3_000), { startImmediately: true })
      yield* until("some are handled", Effect.sync(() => load.ledger.handled.size > 300))
      yield* cluster.failover(load.names.stream)
      yield* Fiber.join(sending)
      yield* load.drained
      const letters = yield* load.letters
      assert.deepStrictEqual(load.lostOf(letters), [])
      assert.deepStrictEqual(load.buriedOf(letters), [])
      assert.strictEqual(load.ledger.open.size, 0, "no request hangs")
    }), 120_000)

  it.live(
    "goes on without a word after a failover while it is idle: reads that wait at the server end, and begin again",
    () =>
      Effect.gen(function*() {
        const cluster = yield* Cluster.start()
        const load = yield* Load.make(cluster)
        const { ledger, names } = load
        yield* load.send(20)
        yield* load.drained
        const owner = yield* cluster.ownerOf(names.stream)
        yield* until(
          "a reader and an inbox wait at the master",
          Effect.map(owner.cli("CLIENT", "LIST"), (list) =>
            /cmd=xreadgroup/.test(String(list)) && /cmd=blmpop/.test(String(list)))
        )
        yield* cluster.failover(names.stream)
        yield* load.send(20)
        yield* load.drained
        assert.strictEqual(ledger.accepted.size, 40)
        assert.deepStrictEqual(load.lostOf(yield* load.letters), [])
        assert.strictEqual(ledger.failedRequests, 0)
        assert.strictEqual(ledger.open.size, 0, "no request hangs")
      }),
    60_000
  )

  it.live.each(["SIGKILL", "SIGSTOP"] as const)(
    "goes on after %s of its master, and no call hangs",
    (signal) =>
      Effect.gen(function*() {
        const cluster = yield* Cluster.start()
        const load = yield* Load.make(cluster)
        const sending = yield* Effect.forkChild(load.send(500), { startImmediately: true })
        yield* until("some are handled", Effect.sync(() => load.ledger.handled.size > 50))
        const owner = yield* cluster.ownerOf(load.names.stream)
        yield* owner.kill(signal)
        yield* Fiber.join(sending)
        yield* until(
          "the replica is the owner",
          Effect.map(cluster.ownerOf(load.names.stream), (now) => now !== owner)
        )
        // What comes after the failover is handled, all of it.
        const handled = load.ledger.handled.size
        yield* load.send(200)
        yield* until("it is handled", Effect.sync(() => load.ledger.handled.size > handled + 150), 60_000)
        yield* load.drained
        assert.strictEqual(load.ledger.open.size, 0, "no request hangs")
      }),
    120_000
  )

  it.live("sends no command twice when the reply to it is lost, on shared and on reserved connections", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.start({ replicas: false })
      const gates = yield* Effect.forEach(cluster.nodes, ({ port }) => proxy.start(port))
      const natMap = (address: string) => {
        const index = cluster.nodes.findIndex(({ port }) => address === `127.0.0.1:${port}`)
        return index < 0 ? undefined : { host: "127.0.0.1", port: gates[index]!.port }
      }
      yield* Effect.gen(function*() {
        const redis = yield* Redis.Redis
        const gate = gates[cluster.nodes.indexOf(yield* cluster.ownerOf("{one}n"))]!
        yield* redis.send("SET", "{one}n", "0")
        yield* gate.loseNextReply()
        const shared = yield* Effect.flip(redis.send("INCR", "{one}n"))
        assert.strictEqual(failureOf(shared), "Connection")
        yield* until(
          "the connection is back",
          Effect.map(Effect.result(redis.send("GET", "{one}n")), ({ _tag }) => _tag === "Success")
        )
        assert.strictEqual(yield* redis.send("GET", "{one}n"), "1")
        yield* Effect.scoped(Effect.gen(function*() {
          const connection = yield* redis.reserve
          assert.strictEqual(yield* connection.send("GET", "{one}n"), "1")
          yield* gate.loseNextReply({ name: /blocking/ })
          const reserved = yield* Effect.flip(connection.send("INCR", "{one}n"))
          assert.strictEqual(failureOf(reserved), "Connection")
        }))
        assert.strictEqual(yield* redis.send("GET", "{one}n"), "2")
      }).pipe(Effect.provide(IoRedis.layerCluster({ nodes: gates.map(({ url }) => url), natMap })))
    }))
})
