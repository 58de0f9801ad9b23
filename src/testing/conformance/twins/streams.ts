import * as Effect from "effect/Effect"
import { type Names, namesOf } from "../../../internal/redis/names.ts"
import { firstRead } from "../../../internal/scripts/firstRead.ts"
import { holdLease, release, renew } from "../../../internal/scripts/lease.ts"
import { rehearse } from "../../../internal/scripts/rehearse.ts"
import { settle, type SettleEntry, targetOf } from "../../../internal/scripts/settle.ts"
import { append, countReplacements, moveCallbacks, trim } from "../../../internal/scripts/streams.ts"
import { passOver, takeDue, takeIdle, takeOwn } from "../../../internal/scripts/take.ts"
import * as QueueNaming from "../../../QueueNaming.ts"
import type { RedisError } from "../../../Redis.ts"
import { type Case, cases } from "../case.ts"
import { type Chance, type Pair, pairOf, step } from "./pair.ts"

/** How many states each script is tried on. */
const seeds = 6

/** Calls on each state. */
const calls = 6

const values = ["", "a", "{}", "ü€\u{1F600}", "\uFFFD", "a\uFFFD\uFFFD", "\0", "x".repeat(2_000)] as const
const names = ["data", "data", "trace", "", "fields"] as const
const consumers = ["me", "you", "alone", "gone", "waiting"] as const

interface World {
  readonly pair: Pair
  readonly chance: Chance
  readonly names: Names
  readonly ids: ReadonlyArray<string>
  /** Keys for answers, of several types. */
  readonly targets: readonly [string, string, string, string, string]
}

const fieldsOf = (chance: Chance) => chance.times(3, () => [chance.pick(names), chance.pick(values)]).flat()

/** A stream with a group or two, entries in every state, and what is kept of retries. */
const worldOf = Effect.fnUntraced(function*(seed: number) {
  const pair = yield* pairOf(seed)
  const { chance, key, prepare } = pair
  const base = namesOf(QueueNaming.make({ prefix: key("w"), environment: "e" }), "user")
  const names: Names = { ...base, group: "g", waitingConsumer: "waiting" }
  const { group, lease, retryRecords, stream } = names
  const targets = [key("none"), key("list"), key("stream"), key("string"), key("hash")] as const
  const ids = Array.from({ length: 4 + chance.below(20) }, (_, n) => `${n + 1}-0`)
  const delivered = ids.slice(0, 1 + chance.below(ids.length))
  const commands: Array<ReadonlyArray<string | number>> = [
    ["XGROUP", "CREATE", stream, group, "0", "MKSTREAM"],
    ["RPUSH", targets[1], "old"],
    ["XADD", targets[2], "1-1", "old", "old"],
    ["SET", targets[3], "old"],
    ["HSET", targets[4], "old", "old"],
    ...ids.map((id) => ["XADD", stream, id, ...fieldsOf(chance)]),
    ...delivered.map(() => ["XREADGROUP", "GROUP", group, chance.pick(consumers), "COUNT", 1, "STREAMS", stream, ">"])
  ]
  if (chance.oneIn(2)) commands.push(["XGROUP", "CREATE", stream, "audit", chance.pick(["0", "3-0", "$"])])
  for (const id of delivered) {
    if (chance.oneIn(3)) {
      const change = ["IDLE", chance.below(4) * step, "RETRYCOUNT", 1 + chance.below(4), "JUSTID"]
      commands.push(["XCLAIM", stream, group, chance.pick(consumers), 0, id, ...change])
    }
    if (chance.oneIn(3)) {
      commands.push(["XCLAIM", stream, group, "waiting", 0, id, "IDLE", 2 * step, "JUSTID"])
    }
    if (chance.oneIn(3)) {
      commands.push(["HSET", retryRecords, id, `${chance.below(3)} ${chance.below(4)} ${chance.below(2)} 00-1-2-01`])
    }
    if (chance.oneIn(6)) commands.push(["XACK", stream, group, id])
    if (chance.oneIn(8)) commands.push(["XDEL", stream, id])
  }
  if (chance.oneIn(2)) commands.push(["SET", lease, chance.pick([500_000, 2_500_000])])
  yield* prepare(commands)
  const world: World = { pair, chance, names, ids, targets }
  for (const id of delivered) if (chance.oneIn(3)) yield* setDue(world, id, chance.pick([-2, -1, 1, 2]))
  return world
})

/** Sets a due time so many steps from now, by the clock of each server; no two the same. */
const setDue = ({ names, pair }: World, id: string, steps: number) =>
  pair.evaluate(
    "wait",
    settle,
    {
      target: { ...targetOf(names, "waiting", true), waitingConsumer: "waiting" },
      firstId: id,
      lastId: id,
      acknowledged: [],
      entries: [1, 2, 3, 4].map((deliveries) => ({
        id,
        deliveries,
        push: undefined,
        wait: { delay: steps * step + 1_000 * Number(id.split("-")[0]), record: "1 1 0 " },
        dead: false,
        notes: []
      }))
    },
    () => "set"
  )

/** Rows of a pending list. Fresh ones are a few milliseconds older on one server than on the other. */
const pendingRows = (reply: unknown): unknown =>
  Array.isArray(reply)
    ? reply.map((row) => {
      // SAFETY: four columns are what XPENDING replies with.
      const [id, consumer, idle, deliveries] = row as ReadonlyArray<unknown>
      return [id, consumer, Math.round(Number(idle) / step), deliveries]
    })
    : reply

/** A group without the number of its consumers: since Redis 7.2 one counts that has read and received nothing. */
const groupRow = (group: unknown): unknown =>
  Array.isArray(group)
    ? group.toSpliced(group.indexOf("consumers"), 2)
    : typeof group === "object" && group !== null
    ? Object.entries(group).filter(([name]) => name !== "consumers").flat()
    : group

const groupRows = (reply: unknown): unknown => Array.isArray(reply) ? reply.map(groupRow) : reply

const compareTexts = (a: string, b: string): number => a < b ? -1 : 1

/** Everything that scripts write has to be alike. */
const compare = Effect.fnUntraced(function*({ ids, names, pair, targets }: World) {
  const { deadLetters, group, lease, retryDue, retryRecords, stream } = names
  yield* pair.send(["XRANGE", stream, "-", "+"])
  yield* pair.send(["XPENDING", stream, group, "-", "+", 1_000], pendingRows)
  yield* pair.send(["XPENDING", stream, group])
  yield* pair.send(["XINFO", "GROUPS", stream], groupRows)
  // Scores of one call may fall into one millisecond here and into two there.
  yield* pair.send(
    ["ZRANGE", retryDue, 0, -1],
    (reply) => Array.isArray(reply) ? reply.map(String).toSorted(compareTexts) : reply
  )
  yield* pair.send(["ZMSCORE", retryDue, ...ids], (reply) => Array.isArray(reply) ? reply.map(String) : reply)
  yield* pair.send(["HGETALL", retryRecords])
  yield* pair.send(["GET", lease])
  yield* pair.send(["XRANGE", deadLetters, "-", "+"])
  for (const key of targets.slice(0, 2)) yield* pair.send(["LRANGE", key, 0, -1])
  yield* pair.send(["XRANGE", targets[2], "-", "+"])
  for (const key of [...targets, lease]) yield* pair.send(["PTTL", key])
  yield* pair.send(["TYPE", targets[0]])
})

const idIn = (world: World) =>
  world.chance.oneIn(15) ? "99-9" : world.ids[world.chance.below(world.ids.length)] ?? "1-0"

const some = (world: World, most: number) => world.chance.times(most, () => idIn(world))

const common = ({ names }: World) => ({
  stream: names.stream,
  retryDue: names.retryDue,
  retryRecords: names.retryRecords,
  group: names.group
})

const takers = ({ chance }: World) => ({
  consumer: chance.pick(["me", "you"]),
  aloneConsumer: chance.pick(["alone", "alone", ""]),
  waitingConsumer: "waiting",
  suspectAfter: chance.pick([3, 2, 5]),
  limit: 1 + chance.below(8),
  budget: chance.pick([1_000_000, 1_000_000, 20, 1])
})

const settleEntry = (world: World): SettleEntry => {
  const { chance, targets } = world
  const outcome = chance.below(3)
  const kind = chance.pick<"list" | "stream">(["list", "stream"])
  return {
    id: idIn(world),
    deliveries: chance.pick([1, 1, 2, 3]),
    push: chance.oneIn(2)
      ? undefined
      : {
        kind,
        key: chance.pick(targets),
        payload: chance.pick(values),
        timeToLive: kind === "list" ? chance.pick([0, 3 * step, 6 * step]) : 0,
        atLeast: kind === "list" && chance.oneIn(2),
        traceparent: kind === "stream" && chance.oneIn(2) ? "00-1-2-01" : undefined
      },
    wait: outcome === 0 ? { delay: chance.pick([1, 2, 3]) * step, record: "2 2 0 " } : undefined,
    dead: outcome === 1,
    notes: chance.pick([undefined, [], ["reason", "rejected", "message", chance.pick(values)]])
  }
}

const compareIds = (a: string, b: string): number => Number(a.split("-")[0]) - Number(b.split("-")[0])

/** Each script with parameters at random. */
const programs: Readonly<Record<string, (world: World) => Effect.Effect<unknown, RedisError>>> = {
  settle: (world) => {
    const { chance, names, pair } = world
    const acknowledged = chance.oneIn(2) ? [] : some(world, 4)
    const entries = chance.oneIn(5) ? [] : chance.times(4, () => settleEntry(world))
    const ids = [...acknowledged, ...entries.map(({ id }) => id)].sort(compareIds)
    return pair.evaluate("settle", settle, {
      target: {
        ...targetOf(names, chance.pick(["me", "you"]), chance.oneIn(3)),
        deadLetters: chance.oneIn(8) ? world.targets[3] : names.deadLetters,
        waitingConsumer: "waiting"
      },
      firstId: ids[0] ?? "-",
      lastId: ids.at(-1) ?? "+",
      acknowledged,
      entries
    })
  },
  takeDue: (world) =>
    Effect.tap(world.pair.evaluate("takeDue", takeDue, { ...common(world), ...takers(world) }), (reply) =>
      // What was put off for a second would be due to one server before it is to the other.
      Array.isArray(reply) && Number(reply[2]) > 0
        ? world.pair.prepare([["DEL", world.names.retryDue]])
        : Effect.void),
  takeIdle: (world) =>
    world.pair.evaluate("takeIdle", takeIdle, {
      ...common(world),
      ...takers(world),
      lease: world.names.lease,
      claimIdle: 1.5 * step,
      removeAfter: world.chance.pick([0, 1_000 * step]),
      cursor: world.chance.pick(["-", `(${idIn(world)}`]),
      own: world.chance.some(["me", "you", "alone"])
    }),
  takeOwn: (world) =>
    world.pair.evaluate("takeOwn", takeOwn, {
      ...common(world),
      consumer: world.chance.pick(["me", "you"]),
      ids: some(world, 8),
      budget: world.chance.pick([1_000_000, 1_000_000, 20, 1])
    }),
  passOver: (world) =>
    world.pair.evaluate("passOver", passOver, {
      ...common(world),
      consumer: world.chance.pick(["me", "you"]),
      waitingConsumer: "waiting",
      id: idIn(world),
      counts: world.chance.pick([true, false]),
      maxDeliveries: world.chance.pick([1, 3, 10]),
      smallest: world.chance.pick([0, 0, 20, 1_000_000]),
      delay: world.chance.pick([0, step])
    }),
  renew: (world) =>
    world.pair.evaluate("renew", renew, {
      ...common(world),
      consumer: world.chance.pick(["me", "you"]),
      ids: some(world, 8)
    }),
  firstRead: (world) =>
    world.pair.evaluate("firstRead", firstRead, {
      ...common(world),
      consumer: world.chance.pick(["me", "you"]),
      ids: some(world, 8)
    }),
  release: (world) =>
    world.pair.evaluate("release", release, {
      ...common(world),
      consumer: world.chance.pick(["me", "you", "gone"]),
      waitingConsumer: "waiting",
      limit: 1 + world.chance.below(5)
    }),
  holdLease: ({ chance, names, pair }) =>
    pair.evaluate("holdLease", holdLease, {
      lease: names.lease,
      claimIdle: chance.pick([60_000, 500_000, 2_500_000]),
      timeToLive: chance.pick([2, 3]) * step
    }),
  append: ({ chance, pair, targets }) =>
    pair.evaluate("append", append, {
      stream: chance.pick([targets[2], targets[0], targets[3]]),
      texts: chance.oneIn(5) ? [] : chance.times(5, () => chance.pick(values)),
      traceparent: chance.pick([undefined, "", "00-1-2-01"])
    }),
  moveCallbacks: (world) =>
    Effect.andThen(
      world.pair.prepare([["LPUSH", world.targets[1], ...world.chance.times(4, () => world.chance.pick(values))]]),
      world.pair.evaluate("moveCallbacks", moveCallbacks, {
        stream: world.chance.pick([world.targets[2], world.names.stream]),
        lists: world.chance.some(world.targets.filter((key) => key !== world.targets[2])),
        limit: world.chance.pick([0, 1, 3, 100])
      })
    ),
  trim: ({ chance, names, pair }) =>
    pair.evaluate("trim", trim, {
      stream: names.stream,
      limit: chance.pick([1, 5, 1_000]),
      retain: chance.pick([0, 2_000 * step])
    }),
  countReplacements: (world) =>
    world.pair.evaluate("countReplacements", countReplacements, { stream: world.names.stream, ids: some(world, 8) }),
  rehearse: ({ chance, names, pair, targets }) =>
    pair.evaluate("rehearse", rehearse, {
      ...names,
      deadLetters: chance.pick([names.deadLetters, targets[2], targets[3]]),
      retryRecords: chance.pick([names.retryRecords, names.retryRecords, targets[1]]),
      group: chance.pick(["g", "g", "other"])
    })
}

export const streamTwinCases: ReadonlyArray<Case> = cases("scripts: twins", (test) => {
  for (const [name, program] of Object.entries(programs)) {
    test(`${name} replies and writes as its twin does`, () =>
      Effect.gen(function*() {
        for (let seed = 1; seed <= seeds; seed++) {
          const world = yield* worldOf(seed)
          for (let call = 0; call < calls; call++) yield* program(world)
          yield* compare(world)
        }
      }))
  }
})
