/**
 * RedisMemory against the real server: random command sequences, every reply
 * and the final state equal.
 *
 * - `DIFFERENTIAL_SEQUENCES`: how many sequences, default 2,000. The long mode
 *   is the same test with a million.
 * - `DIFFERENTIAL_SEED`: the first seed, default 1. A failure prints its own.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { Redis as IoRedis } from "ioredis"
import { Redis } from "../../src/Redis.ts"
import * as RedisMemory from "../../src/RedisMemory.ts"
import { connections, type Step, steps } from "../support/blockingCommands.ts"
import { type Compare, makeRuns, print, search } from "../support/differential.ts"
import { allKeys, type Command, sequence, throughLua } from "../support/redisCommands.ts"
import * as RedisServer from "../support/redisServer.ts"

const sequences = Number(process.env["DIFFERENTIAL_SEQUENCES"] ?? 2000)
const firstSeed = Number(process.env["DIFFERENTIAL_SEED"] ?? 1)
const seeds = { first: firstSeed, count: sequences }

// Normal forms

/** A number that a clock had a part in: equal when close. */
class Time {
  readonly value: number
  constructor(value: number) {
    this.value = value
  }
}

const at = (reply: unknown, ...path: ReadonlyArray<number>): unknown =>
  path.reduce((value, index) => Array.isArray(value) ? value[index] : undefined, reply)

const mapArray = (reply: unknown, f: (value: unknown, index: number) => unknown): unknown =>
  Array.isArray(reply) ? reply.map(f) : reply

const timed = (reply: unknown): unknown => typeof reply === "number" && reply >= 0 ? new Time(reply) : reply

/** Replaces the value after a name in a flat list of names and values. */
const named = (reply: unknown, names: Readonly<Record<string, (value: unknown) => unknown>>): unknown =>
  mapArray(reply, (value, i) => {
    const name = i % 2 === 1 ? at(reply, i - 1) : undefined
    const f = typeof name === "string" ? names[name] : undefined
    return f === undefined ? value : f(value)
  })

const pendingTimes = (index: number) => (reply: unknown) =>
  mapArray(reply, (row) => mapArray(row, (value, i) => i === index ? timed(value) : value))

const sorted = (reply: unknown): unknown =>
  Array.isArray(reply) ? reply.toSorted((a, b) => String(a) < String(b) ? -1 : 1) : reply

const normalise = (command: Command, reply: unknown): unknown => {
  if (reply instanceof Error) return `error: ${reply.message.replace(/ script: [0-9a-f]{40}, on @user_script.*$/, "")}`
  if (command[1] === throughLua) return normalise(command.slice(3), reply)
  switch (`${command[0]} ${command[1]}`) {
    case "XINFO CONSUMERS":
      return mapArray(reply, (row) => named(row, { idle: timed }))
    case "XINFO STREAM":
      return named(reply, {
        "radix-tree-nodes": () => "any",
        groups: (groups) =>
          mapArray(groups, (group) =>
            named(group, {
              pending: pendingTimes(2),
              consumers: (consumers) =>
                mapArray(consumers, (consumer) => named(consumer, { "seen-time": timed, pending: pendingTimes(1) }))
            }))
      })
  }
  switch (command[0]) {
    case "XPENDING":
      return command.length > 3 ? pendingTimes(2)(reply) : reply
    case "TTL":
    case "PTTL":
    case "EXPIRETIME":
    case "PEXPIRETIME":
      return timed(reply)
    // the server gives no order to these, or loses it when a value is long
    case "SMEMBERS":
    case "KEYS":
    case "HKEYS":
    case "HVALS":
      return sorted(reply)
    case "HGETALL":
      return sorted(mapArray(reply, (value, i) => i % 2 === 0 ? [value, at(reply, i + 1)] : undefined))
  }
  return reply
}

/**
 * Ids made from the clock, numbered as they appear in one reply. (Not across
 * replies: two streams may get the same id, on one side only.)
 */
const withoutClockIds = (command: Command, reply: unknown): unknown => {
  const names = new Map<string, string>()
  const isId = (text: string) => /^1\d{12}-\d+$/.test(text)
  const visit = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(visit)
    if (typeof value !== "string" || !isId(value)) return value
    if (!names.has(value)) names.set(value, `clock-${names.size}`)
    return names.get(value)
  }
  const [name] = command[1] === throughLua ? command.slice(3) : command
  if (name !== "XREAD" && name !== "XREADGROUP") return visit(reply)
  return mapArray(reply, (stream) => {
    names.clear()
    return visit(stream)
  })
}

const isSame = (a: unknown, b: unknown): boolean => {
  if (a instanceof Time && b instanceof Time) return Math.abs(a.value - b.value) < 100_000
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((x, i) => isSame(x, b[i]))
  return a === b
}

/** Reads all that is left, whatever it is. */
const readState: ReadonlyArray<Command> = allKeys.flatMap((key): ReadonlyArray<Command> => [
  ["TYPE", key],
  ["PTTL", key],
  ...{
    s: [["XINFO", "STREAM", key, "FULL", "COUNT", "0"], ["XINFO", "GROUPS", key]],
    l: [["LRANGE", key, "0", "-1"]],
    z: [["ZRANGE", key, "0", "-1", "WITHSCORES"]],
    x: [["ZRANGE", key, "0", "-1", "WITHSCORES"]],
    h: [["HGETALL", key]],
    e: [["SMEMBERS", key]],
    v: [["GET", key]]
  }[key[0] ?? ""] ?? []
])

const compare: Compare = ({ memory, server }, commands) =>
  Effect.gen(function*() {
    const all: ReadonlyArray<Command> = [["FLUSHALL"], ...commands, ...readState]
    const normal = (replies: ReadonlyArray<unknown>) =>
      replies.map((reply, i) => withoutClockIds(all[i] ?? [], normalise(all[i] ?? [], reply)))
    const theirs = normal(yield* server(all))
    const ours = normal(yield* memory(all))
    for (let index = 0; index < all.length; index++) {
      if (!isSame(theirs[index], ours[index])) {
        return { command: all[index] ?? [], server: theirs[index], memory: ours[index] }
      }
    }
    return undefined
  })

// Blocking commands, on several connections

/** A command under way on one side; `reply` is there when it has ended. */
interface UnderWay {
  reply: { readonly value: unknown } | undefined
}

const makeBlockingRun = Effect.gen(function*() {
  const { port } = yield* RedisServer.RedisServer
  const open = Effect.acquireRelease(
    Effect.sync(() => new IoRedis({ port, protocol: 2 })),
    (client) => Effect.sync(() => client.disconnect())
  )
  const control = yield* open
  const theirs = yield* Effect.forEach(Array.from({ length: connections }), () => open)
  const redis = yield* Redis
  const ours = yield* Effect.forEach(Array.from({ length: connections }), () => redis.reserve)
  const theirIds = yield* Effect.forEach(theirs, (client) => Effect.promise(() => client.call("CLIENT", "ID")))
  const ourIds = yield* Effect.forEach(ours, (client) => client.send("CLIENT", "ID"))

  const sendTheirs = (client: IoRedis, [name = "", ...args]: Command): UnderWay => {
    const way: UnderWay = { reply: undefined }
    client.call(name, ...args).then((value) => {
      way.reply = { value }
    }, (error) => {
      way.reply = { value: error }
    })
    return way
  }
  const sendOurs = (index: number, [name = "", ...args]: Command) =>
    Effect.gen(function*() {
      const way: UnderWay = { reply: undefined }
      const fiber: Fiber.Fiber<void> = yield* Effect.forkDetach(
        Effect.match(ours[index]!.send<unknown>(name, ...args), {
          onFailure: (error) => {
            way.reply = { value: error.cause }
          },
          onSuccess: (value) => {
            way.reply = { value }
          }
        }),
        { startImmediately: true }
      )
      return { way, fiber }
    })
  /** Waits, for a bounded time, for what must become true. */
  const until = (condition: () => Promise<boolean>) =>
    Effect.promise(async () => {
      for (const deadline = performance.now() + 5000; performance.now() < deadline;) {
        if (await condition()) return true
        await new Promise((resolve) => setImmediate(resolve))
      }
      return false
    })
  const blockedClients = async () => {
    const info = String(await control.call("INFO", "clients"))
    return Number(/blocked_clients:(\d+)/.exec(info)?.[1])
  }

  return (sequence: ReadonlyArray<Step>) =>
    Effect.gen(function*() {
      yield* Effect.promise(() => control.call("FLUSHALL"))
      yield* redis.send("FLUSHALL")
      const busy = new Map<number, { readonly command: Command; readonly their: UnderWay; readonly our: UnderWay }>()
      const log: Array<string> = []
      const failed = (what: string, their: unknown, our: unknown) =>
        [...log, what, `  server: ${JSON.stringify(their)}`, `  memory: ${JSON.stringify(our)}`].join("\n")
      for (const { command, connection } of sequence) {
        if (busy.has(connection)) continue
        log.push(`${connection}> ${print([command])}`)
        const { way: our } = yield* sendOurs(connection, command)
        const their = sendTheirs(theirs[connection]!, command)
        busy.set(connection, { command, their, our })
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        const ended = [...busy].filter(([, { our }]) => our.reply !== undefined)
        const blocked = busy.size - ended.length
        const arrived = yield* until(async () => ended.every(([, { their }]) => their.reply !== undefined))
        const settled = yield* until(async () => (await blockedClients()) === blocked)
        for (const [index, { command, our, their }] of ended) {
          busy.delete(index)
          const theirReply = their.reply === undefined ? "blocked" : normalise(command, their.reply.value)
          const ourReply = normalise(command, our.reply?.value)
          if (!isSame(theirReply, ourReply)) return failed(`differs on ${index}:`, theirReply, ourReply)
        }
        if (!arrived || !settled) {
          return failed("differs in who is blocked:", yield* Effect.promise(blockedClients), blocked)
        }
      }
      for (const index of busy.keys()) {
        yield* Effect.promise(() => control.call("CLIENT", "UNBLOCK", String(theirIds[index])))
        yield* redis.send("CLIENT", "UNBLOCK", String(ourIds[index]))
      }
      for (const [name = "", ...args] of readBlockingState) {
        const their = yield* Effect.promise(() => control.call(name, ...args).catch((error: Error) => error))
        const our = yield* Effect.match(redis.send(name, ...args), {
          onFailure: (error) => error.cause,
          onSuccess: (reply) => reply
        })
        if (!isSame(normalise([name, ...args], their), normalise([name, ...args], our))) {
          return failed(`differs in the end at ${print([[name, ...args]])}`, their, our)
        }
      }
      return undefined
    })
})

const readBlockingState: ReadonlyArray<Command> = [
  ["LRANGE", "a", "0", "-1"],
  ["LRANGE", "b", "0", "-1"],
  ["XINFO", "STREAM", "s", "FULL", "COUNT", "0"],
  ["XINFO", "STREAM", "t", "FULL", "COUNT", "0"]
]

layer(RedisServer.layer(), { excludeTestServices: true })("RedisMemory against the server", (it) => {
  it.effect(
    `replies as the server does to ${sequences} random sequences of up to 60 commands`,
    () =>
      Effect.gen(function*() {
        const difference = yield* search(
          seeds,
          (seed) => ({ commands: sequence(seed), compare }),
          yield* makeRuns
        )
        if (difference !== undefined) assert.fail(difference)
      }).pipe(Effect.provide(RedisMemory.layer)),
    0
  )

  it.effect(
    `wakes blocked clients as the server does in ${sequences / 10} random sequences`,
    () =>
      Effect.gen(function*() {
        const play = yield* makeBlockingRun
        for (let seed = firstSeed; seed < firstSeed + sequences / 10; seed++) {
          const difference = yield* play(steps(seed))
          if (difference !== undefined) assert.fail(`seed ${seed}:\n${difference}`)
        }
      }).pipe(Effect.scoped, Effect.provide(RedisMemory.layer)),
    0
  )
})
