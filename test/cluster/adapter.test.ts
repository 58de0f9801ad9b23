/** `IoRedis.layerCluster` on a real cluster: where commands go, and what a moving slot does to them. */
import { assert, layer } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import { failureOf } from "../../src/internal/redis/failure.ts"
import * as serverClock from "../../src/internal/redis/serverClock.ts"
import { slotOf } from "../../src/internal/redis/slot.ts"
import { define } from "../../src/internal/scripts/script.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as Redis from "../../src/Redis.ts"
import * as Cluster from "../support/cluster.ts"
import { until } from "../support/until.ts"

const Connected = Layer.unwrap(
  Effect.map(Cluster.RedisCluster, ({ urls }) => IoRedis.layerCluster({ nodes: urls }))
).pipe(Layer.provideMerge(Cluster.layer()))

/** Keys of three nodes. */
const tags = ["{a}", "{b}", "{c}", "{d}", "{e}", "{f}"]

const both = define<{ readonly keys: ReadonlyArray<string>; readonly value: string }>({
  lua: "redis.call('SET', KEYS[1], ARGV[1]) return { ARGV[1], redis.call('GET', KEYS[2]) or 'none' }",
  keys: ({ keys }) => keys,
  args: ({ value }) => [value]
})

const count = define<{ readonly key: string; readonly salt: string }>({
  lua: "return redis.call('INCR', KEYS[1])",
  keys: ({ key }) => [key],
  args: ({ salt }) => [salt]
})

layer(Connected, { excludeTestServices: true, timeout: 60_000 })("on a cluster", (it) => {
  it.effect("commands, scripts and reserved connections go to the node that owns their key", () =>
    Effect.gen(function*() {
      const redis = yield* Redis.Redis
      const cluster = yield* Cluster.RedisCluster
      const owners = new Set<number>()
      for (const tag of tags) {
        yield* redis.send("SET", `${tag}k`, tag)
        assert.strictEqual(yield* redis.send("GET", `${tag}k`), tag)
        yield* redis.send("XADD", `${tag}s`, "*", "data", tag)
        assert.strictEqual(yield* redis.eval(count.script)({ key: `${tag}n`, salt: "" }), 1)
        owners.add((yield* cluster.ownerOf(tag)).port)
        const read = yield* Effect.scoped(
          Effect.flatMap(
            redis.reserve,
            (connection) => connection.send<ReadonlyArray<unknown>>("XREAD", "BLOCK", "1000", "STREAMS", `${tag}s`, "0")
          )
        )
        assert.lengthOf(read, 1)
      }
      assert.strictEqual(owners.size, 3, "the keys of the test are on all nodes")
    }))

  it.effect("a script that no node has runs on each node at the first call", () =>
    Effect.gen(function*() {
      const redis = yield* Redis.Redis
      const { nodes } = yield* Cluster.RedisCluster
      for (const node of nodes) yield* node.cli("SCRIPT", "FLUSH")
      for (const tag of tags) {
        const run = redis.eval(both.script)({ keys: [`${tag}x`, `${tag}y`], value: tag })
        assert.deepStrictEqual(yield* run, [tag, "none"])
      }
      // Flushed again after they were loaded, on a reserved connection too.
      for (const node of nodes) yield* node.cli("SCRIPT", "FLUSH")
      yield* Effect.scoped(Effect.gen(function*() {
        const connection = yield* redis.reserve
        for (const tag of tags) {
          yield* connection.eval(both.script)({ keys: [`${tag}x`, `${tag}y`], value: tag })
        }
      }))
    }))

  it.effect("keys of two slots in one command fail as what no repetition helps with", () =>
    Effect.gen(function*() {
      const redis = yield* Redis.Redis
      const error = yield* Effect.flip(redis.eval(both.script)({ keys: ["{a}x", "{b}y"], value: "v" }))
      assert.strictEqual(failureOf(error), "Cluster")
    }))

  it.effect("a reserved connection says its id with its node, and is found and ended by it there", () =>
    Effect.gen(function*() {
      const redis = yield* Redis.Redis
      const cluster = yield* Cluster.RedisCluster
      yield* Effect.scoped(Effect.gen(function*() {
        const connection = yield* redis.reserve
        yield* connection.send("CLUSTER", "KEYSLOT", "{e}s")
        const id = String(yield* connection.send("CLIENT", "ID"))
        yield* connection.send("CLIENT", "SETNAME", "mine")
        const owner = yield* cluster.ownerOf("{e}s")
        assert.match(id, new RegExp(`^127\\.0\\.0\\.1:${owner.port}/\\d+$`))
        assert.include(String(yield* redis.send("CLIENT", "LIST", "ID", id)), "name=mine")
        const read = yield* Effect.forkChild(
          Effect.flip(connection.send("BLPOP", "{e}nothing", "20")),
          { startImmediately: true }
        )
        yield* until(
          "it waits at the owner",
          Effect.map(owner.cli("CLIENT", "LIST"), (list) => /name=mine .*cmd=blpop/.test(String(list)))
        )
        yield* redis.send("CLIENT", "KILL", "ID", id)
        assert.strictEqual(failureOf(yield* Fiber.join(read)), "Connection")
        assert.strictEqual(String(yield* redis.send("CLIENT", "LIST", "ID", id)), "")
      }))
    }))

  it.effect("the time is asked of the node that has the key, because clocks of nodes differ", () =>
    Effect.gen(function*() {
      const redis = yield* Redis.Redis
      const cluster = yield* Cluster.RedisCluster
      const clock = yield* Clock.Clock
      for (const tag of tags) {
        const owner = yield* cluster.ownerOf(tag)
        for (const node of cluster.nodes) yield* node.cli("CONFIG", "RESETSTAT")
        yield* serverClock.make(redis, clock, `${tag}s`).sample
        for (const node of cluster.nodes) {
          const asked = String(yield* node.cli("INFO", "commandstats")).includes("cmdstat_time")
          assert.strictEqual(asked, node === owner, `node ${node.port}, for the key ${tag}s of ${owner.port}`)
        }
      }
    }))

  it.effect("a scan visits the keys of all nodes, once", () =>
    Effect.gen(function*() {
      const redis = yield* Redis.Redis
      const keys = tags.flatMap((tag) => Array.from({ length: 50 }, (_, index) => `scan:${tag}${index}`))
      yield* Effect.forEach(keys, (key) => redis.send("SET", key, "1"), { concurrency: "unbounded" })
      const found: Array<string> = []
      let cursor = "0"
      do {
        const [next, page] = yield* redis.send<readonly [string, ReadonlyArray<string>]>(
          ...["SCAN", cursor, "MATCH", "scan:*", "COUNT", "20", "TYPE", "string"] as const
        )
        found.push(...page)
        cursor = next
      } while (cursor !== "0")
      assert.deepStrictEqual(found.sort(), keys.sort())
      const gone = yield* Effect.flip(redis.send("SCAN", "127.0.0.1:1/17"))
      assert.strictEqual(failureOf(gone), "Moved", "a node that is gone ends the scan, and not silently")
    }))

  it.effect("a message that another node publishes arrives", () =>
    Effect.scoped(Effect.gen(function*() {
      const redis = yield* Redis.Redis
      const { nodes } = yield* Cluster.RedisCluster
      const messages = yield* redis.subscribe("news")
      for (const node of nodes) {
        yield* node.cli("PUBLISH", "news", String(node.port))
        assert.strictEqual((yield* Queue.take(messages)).message, String(node.port))
      }
    })))

  it.effect("while a slot moves, what is there already and what is not yet are both found", () =>
    Effect.gen(function*() {
      const redis = yield* Redis.Redis
      const cluster = yield* Cluster.RedisCluster
      const keys = Array.from({ length: 20 }, (_, index) => `{move}${index}`)
      yield* Effect.forEach(keys, (key) => redis.send("SET", key, key))
      const move = yield* cluster.beginMove("{move}")
      yield* move.keys(10)
      // Some are answered with ASK now, also by scripts that the other node does not have.
      for (const key of keys) assert.strictEqual(yield* redis.send("GET", key), key)
      yield* Effect.forEach(keys, (_, index) => redis.eval(count.script)({ key: `{move}n${index}`, salt: "asked" }), {
        concurrency: "unbounded"
      })
      for (let index = 0; index < keys.length; index++) {
        assert.strictEqual(yield* redis.send("GET", `{move}n${index}`), "1", "nothing ran twice")
      }
      // A reserved connection blocks where the key will be.
      yield* Effect.scoped(Effect.gen(function*() {
        const connection = yield* redis.reserve
        const read = yield* Effect.forkChild(connection.send("BLPOP", "{move}list", "20"), { startImmediately: true })
        yield* until(
          "it waits at the other node",
          Effect.map(move.to.cli("CLIENT", "LIST"), (list) => /cmd=blpop/.test(String(list)))
        )
        yield* redis.send("RPUSH", "{move}list", "came")
        assert.deepStrictEqual(yield* Fiber.join(read), ["{move}list", "came"])
      }))
      yield* move.end
      for (const key of keys) assert.strictEqual(yield* redis.send("GET", key), key)
    }))

  it.effect("a script of which one key is missing waits for a moving slot, and fails as trouble that passes when it lasts", () =>
    Effect.gen(function*() {
      const redis = yield* Redis.Redis
      const cluster = yield* Cluster.RedisCluster
      yield* redis.send("SET", "{try}there", "1")
      const call = redis.eval(both.script)({ keys: ["{try}there", "{try}missing"], value: "2" })
      const move = yield* cluster.beginMove("{try}")
      const error = yield* Effect.flip(call)
      assert.strictEqual(failureOf(error), "MasterDown")
      assert.match(String(error.cause), /TRYAGAIN/)
      assert.strictEqual(yield* redis.send("GET", "{try}there"), "1", "nothing of it ran")
      const waiting = yield* Effect.forkChild(call, { startImmediately: true })
      yield* move.end
      assert.deepStrictEqual(yield* Fiber.join(waiting), ["2", "none"])
    }))

  it.effect("a command whose slot no node serves waits for one that does, and fails as trouble that passes when none comes", () =>
    Effect.gen(function*() {
      const redis = yield* Redis.Redis
      const cluster = yield* Cluster.RedisCluster
      yield* redis.send("SET", "{down}k", "1")
      const owner = yield* cluster.ownerOf("{down}k")
      const slot = slotOf("{down}k")
      yield* owner.cli("CLUSTER", "DELSLOTS", slot)
      const error = yield* Effect.flip(redis.send("GET", "{down}k"))
      assert.strictEqual(failureOf(error), "MasterDown")
      assert.match(String(error.cause), /CLUSTERDOWN/)
      const waiting = yield* Effect.forkChild(redis.send("GET", "{down}k"), { startImmediately: true })
      // Its first attempt is refused before the slot is served again.
      yield* owner.cli("PING")
      yield* owner.cli("CLUSTER", "ADDSLOTS", slot)
      assert.strictEqual(yield* Fiber.join(waiting), "1")
      yield* cluster.settled
    }))

  it.effect("a blocked read of a slot that moves away ends, and the next one is at the new owner", () =>
    Effect.gen(function*() {
      const redis = yield* Redis.Redis
      const cluster = yield* Cluster.RedisCluster
      yield* Effect.scoped(Effect.gen(function*() {
        const connection = yield* redis.reserve
        yield* connection.send("CLUSTER", "KEYSLOT", "{away}l")
        yield* connection.send("CLIENT", "ID")
        const read = yield* Effect.forkChild(Effect.flip(connection.send("BLPOP", "{away}l", "30")), {
          startImmediately: true
        })
        const owner = yield* cluster.ownerOf("{away}l")
        yield* until(
          "it waits",
          Effect.map(owner.cli("CLIENT", "LIST"), (list) => /cmd=blpop/.test(String(list)))
        )
        const move = yield* cluster.beginMove("{away}l")
        yield* move.end
        // Its owner knows its connection by an id, so it has to ask for another one.
        assert.strictEqual(failureOf(yield* Fiber.join(read)), "Moved")
      }))
      yield* Effect.scoped(Effect.gen(function*() {
        const connection = yield* redis.reserve
        yield* redis.send("RPUSH", "{away}l", "v")
        assert.deepStrictEqual(yield* connection.send("BLPOP", "{away}l", "5"), ["{away}l", "v"])
      }))
    }))
})
