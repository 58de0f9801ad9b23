/**
 * Replies that the server cuts because of their size: what they held is taken and did not arrive.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { actionOf } from "../support/messages.ts"
import * as Trouble from "../support/troubleWorld.ts"
import { until } from "../support/until.ts"

const bound = 60_000

const mebi = 1024 * 1024

/** From now on a client whose replies are larger than a mebibyte loses its connection. */
const limit = (world: Trouble.World) =>
  world.server.cli("CONFIG", "SET", "client-output-buffer-limit", `normal ${mebi} 0 0`)

const unlimit = (world: Trouble.World) =>
  world.server.cli("CONFIG", "SET", "client-output-buffer-limit", "normal 0 0 0")

const add = (world: Trouble.World, key: string, size = 0) =>
  Effect.map(
    world.server.cli(
      "XADD",
      world.names.stream,
      "*",
      "data",
      actionOf("user.do", 1, { data: { key, text: "x".repeat(size) } })
    ),
    String
  )

const keysOf = (prefix: string, count: number) => Array.from({ length: count }, (_, index) => `${prefix}-${index}`)

const makeGroup = (world: Trouble.World) =>
  world.server.cli("XGROUP", "CREATE", world.names.stream, world.names.group, "0", "MKSTREAM")

const lettersOf = (world: Trouble.World) =>
  Effect.map(
    world.server.cli("XRANGE", world.names.deadLetters, "-", "+"),
    (rows) =>
      (rows as ReadonlyArray<[string, ReadonlyArray<string>]>).map(([, fields]) => {
        const noteOf = (name: string) => fields[fields.indexOf(name) + 1]
        return { reason: noteOf("reason"), entryId: noteOf("entry_id"), data: noteOf("data"), hops: noteOf("hops") }
      })
  )

const handles = (world: Trouble.World, keys: ReadonlyArray<string>) =>
  until(
    `all are handled: ${keys.length}`,
    Effect.sync(() => keys.every((key) => world.handled.has(key))),
    20_000
  )

/** The entry became a dead letter whole, after it was passed over more than once, and nothing is left of it elsewhere. */
const buriedWhole = Effect.fnUntraced(function*(
  world: Trouble.World,
  process: Trouble.WorkerProcess,
  id: string,
  size: number
) {
  yield* until(
    "it becomes a dead letter",
    Effect.map(world.server.cli("XLEN", world.names.deadLetters), (length) => length === 1),
    40_000
  )
  yield* unlimit(world)
  const [letter] = yield* lettersOf(world)
  assert.deepInclude(letter, { reason: "poison", entryId: id })
  assert.isAbove(letter?.data?.length ?? 0, size)
  yield* until("nothing is pending", Effect.map(world.left, ({ entries, pending }) => entries === 0 && pending === 0))
  assert.strictEqual(yield* world.server.cli("EXISTS", world.names.retryDue, world.names.retryRecords), 0)
  yield* Trouble.recovered(process)
  assert.isAtLeast(world.logged(/^Warn An entry of \d+ bytes cannot be read/).length, 2)
  assert.strictEqual((yield* process.worker.status).state, "running")
})

/** What a worker does not get is no more than some cut connections to it. */
const options = { maxDeliveries: 4, consumers: 1 }

describe("a server that cuts large replies", () => {
  it.live(
    "keeps an entry from a worker at its first read: those behind it are handled, and it becomes a dead letter",
    () =>
      Effect.gen(function*() {
        const world = yield* Trouble.make()
        const id = yield* add(world, "large", 3 * mebi)
        const tiny = keysOf("tiny", 5)
        for (const key of tiny) yield* add(world, key)
        yield* limit(world)
        const process = yield* world.startWorker(options)
        yield* handles(world, tiny)
        yield* add(world, "later")
        yield* handles(world, ["later"])
        yield* buriedWhole(world, process, id, 3 * mebi)
        assert.isFalse(world.handled.has("large"))
      }),
    bound
  )

  it.live(
    "keeps an entry that is due from a worker: what comes meanwhile is handled, and it becomes a dead letter",
    () =>
      Effect.gen(function*() {
        const world = yield* Trouble.make()
        const { group, retryDue, stream, waitingConsumer } = world.names
        yield* makeGroup(world)
        const id = yield* add(world, "large", 3 * mebi)
        // A worker whose server allowed it had taken it, and put it off.
        yield* world.server.cli("XREADGROUP", "GROUP", group, waitingConsumer, "STREAMS", stream, ">")
        yield* world.server.cli("ZADD", retryDue, "1", id)
        yield* limit(world)
        const process = yield* world.startWorker(options)
        const tiny = keysOf("tiny", 5)
        for (const key of tiny) yield* add(world, key)
        yield* handles(world, tiny)
        yield* buriedWhole(world, process, id, 3 * mebi)
      }),
    bound
  )

  it.live(
    "keeps the entries of a dead worker from another: small ones are handled, the large one becomes a dead letter",
    () =>
      Effect.gen(function*() {
        const world = yield* Trouble.make()
        yield* makeGroup(world)
        const keys = keysOf("left", 5)
        yield* add(world, keys[0]!)
        const id = yield* add(world, "large", 3 * mebi)
        for (const key of keys.slice(1)) yield* add(world, key)
        yield* world.server.cli("XREADGROUP", "GROUP", world.names.group, "dead", "STREAMS", world.names.stream, ">")
        yield* limit(world)
        const process = yield* world.startWorker({ ...options, claimIdle: "1 second" })
        yield* handles(world, keys)
        yield* buriedWhole(world, process, id, 3 * mebi)
      }),
    bound
  )

  it.live(
    "loses nothing of many middling entries, wherever they come from: each is handled once",
    () =>
      Effect.gen(function*() {
        const world = yield* Trouble.make()
        const { group, retryDue, stream, waitingConsumer } = world.names
        yield* makeGroup(world)
        const old = keysOf("old", 40)
        const due = keysOf("due", 40)
        const fresh = keysOf("fresh", 40)
        for (const key of old) yield* add(world, key, 100_000)
        yield* world.server.cli("XREADGROUP", "GROUP", group, "dead", "STREAMS", stream, ">")
        for (const key of due) yield* world.server.cli("ZADD", retryDue, "1", yield* add(world, key, 100_000))
        yield* world.server.cli("XREADGROUP", "GROUP", group, waitingConsumer, "STREAMS", stream, ">")
        for (const key of fresh) yield* add(world, key, 100_000)
        yield* limit(world)
        const process = yield* world.startWorker({ claimIdle: "1 second", consumers: 1 })
        const all = [...old, ...due, ...fresh]
        yield* handles(world, all)
        yield* Trouble.nothingLost(world, all)
        yield* Trouble.recovered(process)
        assert.strictEqual(yield* world.server.cli("EXISTS", world.names.deadLetters), 0)
      }),
    bound
  )

  it.live("stops doing so: an entry that was passed over is handled like any other", () =>
    Effect.gen(function*() {
      const world = yield* Trouble.make()
      yield* add(world, "large", 3 * mebi)
      yield* limit(world)
      const process = yield* world.startWorker({ consumers: 1 })
      yield* until(
        "it is passed over",
        Effect.sync(() => world.logged(/^Warn An entry of \d+ bytes cannot be read/).length > 0),
        20_000
      )
      yield* unlimit(world)
      yield* Trouble.nothingLost(world, ["large"])
      yield* Trouble.recovered(process)
    }), bound)
})
