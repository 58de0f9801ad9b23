/**
 * Random calls of the scripts that work on a stream, its group, and what is kept of retries.
 */
import { type Names, namesOf } from "../../src/internal/redis/names.ts"
import { firstRead } from "../../src/internal/scripts/firstRead.ts"
import { forward } from "../../src/internal/scripts/forward.ts"
import { holdLease, release, renew } from "../../src/internal/scripts/lease.ts"
import { debounce, declareFeatures, park, reschedule, uniqueHashOf, unpark } from "../../src/internal/scripts/park.ts"
import { passOver } from "../../src/internal/scripts/passOver.ts"
import { rehearse } from "../../src/internal/scripts/rehearse.ts"
import {
  fireSchedule,
  readSchedules,
  renewSchedules,
  scheduleNames,
  writeSchedule
} from "../../src/internal/scripts/schedules.ts"
import { settle, type SettleEntry, targetOf } from "../../src/internal/scripts/settle.ts"
import { append, countReplacements, moveCallbacks, trim } from "../../src/internal/scripts/streams.ts"
import { takeDue, takeIdle, takeOwn } from "../../src/internal/scripts/take.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import type { Command } from "../support/redisCommands.ts"
import { type Chance, chanceOf } from "./chance.ts"
import { command, evaluate, type Play, step } from "./command.ts"
import { operatorCalls, statisticsKeys } from "./operators.ts"

const values = ["", "a", "{}", "ü€\u{1F600}", "\uFFFD", "a\uFFFD\uFFFD", "\0", "x".repeat(2_000)] as const
const names = ["data", "data", "trace", "", "fields"] as const
const consumers = ["me", "you", "alone", "gone", "waiting"] as const

export interface World {
  readonly chance: Chance
  readonly names: Names
  readonly ids: ReadonlyArray<string>
  /** Keys for answers, of several types. */
  readonly targets: readonly [string, string, string, string, string]
}

const fieldsOf = (chance: Chance) => chance.times(3, () => [chance.pick(names), chance.pick(values)]).flat()

const base = namesOf(QueueNaming.make({ prefix: "w", environment: "e" }), "user")
const worldNames: Names = { ...base, group: "g", waitingConsumer: "waiting" }
const targets = ["none", "list", "stream", "string", "hash"] as const

const worldOf = (chance: Chance): World => ({
  chance,
  names: worldNames,
  ids: Array.from({ length: 4 + chance.below(20) }, (_, n) => `${n + 1}-0`),
  targets
})

/** A stream with a group or two, entries in every state, and what is kept of retries. */
const beginning = (world: World): ReadonlyArray<Command> => {
  const { chance, ids } = world
  const { group, lease, retryRecords, stream } = world.names
  const delivered = ids.slice(0, 1 + chance.below(ids.length))
  const commands: Array<Command> = [
    command("XGROUP", "CREATE", stream, group, "0", "MKSTREAM"),
    command("RPUSH", targets[1], "old"),
    command("XADD", targets[2], "1-1", "old", "old"),
    command("SET", targets[3], "old"),
    command("HSET", targets[4], "old", "old"),
    ...ids.map((id) => command("XADD", stream, id, ...fieldsOf(chance))),
    ...delivered.map(() =>
      command("XREADGROUP", "GROUP", group, chance.pick(consumers), "COUNT", 1, "STREAMS", stream, ">")
    )
  ]
  if (chance.oneIn(2)) commands.push(command("XGROUP", "CREATE", stream, "audit", chance.pick(["0", "3-0", "$"])))
  for (const id of delivered) {
    if (chance.oneIn(3)) {
      const change = ["IDLE", chance.below(4) * step, "RETRYCOUNT", 1 + chance.below(4), "JUSTID"]
      commands.push(command("XCLAIM", stream, group, chance.pick(consumers), 0, id, ...change))
    }
    if (chance.oneIn(3)) commands.push(command("XCLAIM", stream, group, "waiting", 0, id, "IDLE", 2 * step, "JUSTID"))
    if (chance.oneIn(3)) {
      const record = `${chance.below(3)} ${chance.below(4)} ${chance.below(2)} 00-1-2-01`
      commands.push(command("HSET", retryRecords, id, record))
    }
    if (chance.oneIn(6)) commands.push(command("XACK", stream, group, id))
    if (chance.oneIn(8)) commands.push(command("XDEL", stream, id))
  }
  if (chance.oneIn(2)) commands.push(command("SET", lease, chance.pick([500_000, 2_500_000])))
  for (const id of delivered) if (chance.oneIn(3)) commands.push(setDue(world, id, chance.pick([-2, -1, 1, 2])))
  return commands
}

/** Sets a due time so many steps from now, by the clock of each server; no two the same. */
const setDue = ({ names }: World, id: string, steps: number): Command =>
  evaluate(settle, {
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
  })

/**
 * Due times near to now become times that are apart: which of two comes first must not depend on the milliseconds that
 * a server took between two calls.
 */
const spread = ({ names }: World): Command =>
  command(
    "EVAL",
    `local time = redis.call('TIME')
local now = time[1] * 1000
local half = tonumber(ARGV[1]) / 2
local near = redis.call('ZRANGE', KEYS[1], string.format('%.0f', now - half), string.format('%.0f', now + half), 'BYSCORE')
for _, id in ipairs(near) do
  redis.call('ZADD', KEYS[1], string.format('%.0f', now - 1000 * (id:match('^%d+') % 400)), id)
end
return #near`,
    1,
    names.retryDue,
    step
  )

/** Everything that scripts write. */
const state: ReadonlyArray<Command> = [
  command("HGETALL", worldNames.parkedEntries),
  command("ZRANGE", worldNames.parkedDue, 0, -1, "WITHSCORES"),
  command("GET", "unique"),
  command("GET", "guard"),
  command("HGETALL", worldNames.paused),
  command("HGETALL", worldNames.lanesRules),
  command("ZRANGE", worldNames.lanesHeld, 0, -1),
  command("ZRANGE", worldNames.lanesWaiting, 0, -1),
  command("HGETALL", worldNames.scheduleSpecs),
  command("HGETALL", worldNames.scheduleState),
  ...statisticsKeys.flatMap((key) => [command("HGETALL", key), command("PTTL", key)]),
  command("GET", "mark"),
  command("PTTL", "mark"),
  command("ZRANGE", worldNames.scheduleNext, 0, -1, "WITHSCORES"),
  command("XRANGE", worldNames.stream, "-", "+"),
  command("XPENDING", worldNames.stream, worldNames.group, "-", "+", 1_000),
  command("XPENDING", worldNames.stream, worldNames.group),
  command("XINFO", "GROUPS", worldNames.stream),
  command("ZRANGE", worldNames.retryDue, 0, -1, "WITHSCORES"),
  command("HGETALL", worldNames.retryRecords),
  command("GET", worldNames.lease),
  command("XRANGE", worldNames.deadLetters, "-", "+"),
  command("LRANGE", targets[0], 0, -1),
  command("LRANGE", targets[1], 0, -1),
  command("XRANGE", targets[2], "-", "+"),
  ...[...targets, worldNames.lease].map((key) => command("PTTL", key)),
  command("TYPE", targets[0])
]

const idIn = (world: World) =>
  world.chance.oneIn(15) ? "99-9" : world.ids[world.chance.below(world.ids.length)] ?? "1-0"

const some = (world: World, most: number) => world.chance.times(most, () => idIn(world))

/** As action ids are, so that the text of a deduplication is read the same way. */
const parkingIds = ["00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"] as const

/** Specifications as they begin. */
const specs = ["v1 declared 1\n{}", "v2 runtime 1\n{}"] as const

/** What is said of a slot of a schedule. */
const slot = (chance: Chance) => ({
  name: chance.pick(["one", "two"]),
  version: chance.pick(["v1", "v2"]),
  stateBefore: chance.pick(["1", "2"]),
  state: chance.pick(["1", "2"]),
  due: chance.pick(["", "3"])
})

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
export const streamCalls: Readonly<Record<string, (world: World) => Command>> = {
  settle: (world) => {
    const { chance, names } = world
    const acknowledged = chance.oneIn(2) ? [] : some(world, 4)
    const entries = chance.oneIn(5) ? [] : chance.times(4, () => settleEntry(world))
    const ids = [...acknowledged, ...entries.map(({ id }) => id)].sort(compareIds)
    return evaluate(settle, {
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
  takeDue: (world) => evaluate(takeDue, { ...world.names, ...takers(world) }),
  takeIdle: (world) =>
    evaluate(takeIdle, {
      ...common(world),
      ...takers(world),
      lease: world.names.lease,
      claimIdle: 1.5 * step,
      removeAfter: world.chance.pick([0, 1_000 * step]),
      cursor: world.chance.pick(["-", `(${idIn(world)}`]),
      own: world.chance.some(["me", "you", "alone"])
    }),
  takeOwn: (world) =>
    evaluate(takeOwn, {
      ...common(world),
      consumer: world.chance.pick(["me", "you"]),
      ids: some(world, 8),
      budget: world.chance.pick([1_000_000, 1_000_000, 20, 1])
    }),
  passOver: (world) =>
    evaluate(passOver, {
      ...common(world),
      consumer: world.chance.pick(["me", "you"]),
      waitingConsumer: "waiting",
      id: idIn(world),
      counts: world.chance.pick([true, false]),
      maxDeliveries: world.chance.pick([1, 3, 10]),
      smallest: world.chance.pick([0, 0, 20, 1_000_000]),
      delay: world.chance.pick([0, step])
    }),
  firstRead: (world) =>
    evaluate(firstRead, {
      ...common(world),
      consumer: world.chance.pick(["me", "you"]),
      ids: some(world, 8)
    }),
  renew: (world) =>
    evaluate(renew, {
      ...common(world),
      consumer: world.chance.pick(["me", "you"]),
      ids: some(world, 8)
    }),
  release: (world) =>
    evaluate(release, {
      ...common(world),
      consumer: world.chance.pick(["me", "you", "gone"]),
      waitingConsumer: "waiting",
      limit: 1 + world.chance.below(5)
    }),
  holdLease: ({ chance, names }) =>
    evaluate(holdLease, {
      lease: names.lease,
      claimIdle: chance.pick([60_000, 500_000, 2_500_000]),
      timeToLive: chance.pick([2, 3]) * step
    }),
  append: ({ chance, targets }) =>
    evaluate(append, {
      stream: chance.pick([targets[2], targets[0], targets[3]]),
      texts: chance.oneIn(5) ? [] : chance.times(5, () => chance.pick(values)),
      traceparent: chance.pick([undefined, "", "00-1-2-01"])
    }),
  moveCallbacks: (world) =>
    evaluate(moveCallbacks, {
      stream: world.chance.pick([world.targets[2], world.names.stream]),
      lists: world.chance.some(world.targets.filter((key) => key !== world.targets[2])),
      limit: world.chance.pick([0, 1, 3, 100])
    }),
  forward: (world) => {
    const { chance, targets } = world
    return evaluate(forward, {
      address: {
        kind: chance.pick<"list" | "stream">(["list", "stream"]),
        key: chance.pick(targets),
        timeToLive: chance.pick([0, 3_000_000]),
        atLeast: chance.oneIn(2),
        traceparent: chance.pick([undefined, "00-1-2-01"])
      },
      payload: chance.pick(values),
      guard: chance.oneIn(2) ? undefined : { key: "guard", id: chance.pick(["a", "b"]) }
    })
  },
  trim: ({ chance, names }) =>
    evaluate(trim, {
      stream: names.stream,
      limit: chance.pick([1, 5, 1_000]),
      retain: chance.pick([0, 2_000 * step])
    }),
  countReplacements: (world) => evaluate(countReplacements, { stream: world.names.stream, ids: some(world, 8) }),
  declareFeatures: ({ chance, names }) =>
    evaluate(declareFeatures, {
      features: names.features,
      names: chance.pick([["parked"], ["parked", "unique"], ["parked", "unique", "lanes"]])
    }),
  park: (world) => {
    const { chance, names } = world
    const ids = chance.times(4, () => chance.pick(parkingIds))
    return evaluate(park, {
      ...names,
      uniqueKey: chance.oneIn(3) ? "unique" : undefined,
      uniqueHash: chance.pick(["", "f".repeat(40)]),
      within: step,
      when: chance.pick(["", "@0", `+${step}`, `+${3 * step}`]),
      expiresIn: chance.pick([undefined, step, 5 * step]),
      traceparent: chance.pick([undefined, "trace"]),
      ids,
      texts: ids.map(() => chance.pick(values))
    })
  },
  debounce: ({ chance, names }) =>
    evaluate(debounce, {
      ...names,
      parkingId: chance.pick(parkingIds),
      quiet: chance.pick([step, 4 * step]),
      maxWait: 2 * step,
      expiresIn: chance.pick([undefined, step]),
      traceparent: chance.pick([undefined, "trace"]),
      text: chance.pick(values)
    }),
  reschedule: ({ chance, names }) =>
    evaluate(reschedule, { ...names, parkingId: chance.pick(parkingIds), when: chance.pick(["", `+${2 * step}`]) }),
  uniqueHashOf: ({ chance, names }) => evaluate(uniqueHashOf, { ...names, parkingId: chance.pick(parkingIds) }),
  unpark: ({ chance, names }) =>
    evaluate(unpark, {
      ...names,
      uniqueKey: chance.oneIn(2) ? "unique" : undefined,
      parkingId: chance.pick(parkingIds)
    }),
  readSchedules: ({ names }) => evaluate(readSchedules, { ...names, names: ["one", "two"] }),
  scheduleNames: ({ names }) => evaluate(scheduleNames, names),
  writeSchedule: ({ chance, names }) =>
    evaluate(writeSchedule, {
      ...names,
      name: chance.pick(["one", "two"]),
      specBefore: chance.pick(["", "", specs[0]]),
      stateBefore: chance.pick(["", "", "1"]),
      spec: chance.pick(["", ...specs]),
      state: chance.pick(["1", "2"]),
      due: chance.pick(["", "1", "2"])
    }),
  fireSchedule: ({ chance, names }) =>
    evaluate(fireSchedule, {
      ...names,
      ...slot(chance),
      texts: chance.times(3, () => chance.pick(values))
    }),
  fireAlone: ({ chance, names }) =>
    evaluate(fireSchedule, {
      ...names,
      ...slot(chance),
      texts: [chance.pick(values)],
      alone: {
        keys: names,
        id: chance.pick(["x", "y"]),
        lane: "n:schedules.skip\0one",
        rule: chance.pick(["1 - - drop continue - - -", "1 - - latest continue - - -"]),
        stateIfSkipped: "1"
      }
    }),
  renewSchedules: ({ chance, names }) =>
    evaluate(renewSchedules, { ...names, versions: [["one", chance.pick(["v1", "v2"])], ["two", "v1"]] }),
  ...operatorCalls,
  rehearse: ({ chance, names, targets }) =>
    evaluate(rehearse, {
      ...names,
      deadLetters: chance.pick([names.deadLetters, targets[2], targets[3]]),
      retryRecords: chance.pick([names.retryRecords, names.retryRecords, targets[1]]),
      group: chance.pick(["g", "g", "other"])
    })
}

/** What happens between the calls. */
const meanwhile: Readonly<Record<string, (world: World) => Command>> = {
  push: ({ chance, targets }) => command("LPUSH", targets[1], ...chance.times(4, () => chance.pick(values))),
  read: ({ chance, names }) =>
    command("XREADGROUP", "GROUP", names.group, chance.pick(consumers), "COUNT", 2, "STREAMS", names.stream, ">"),
  delete: (world) => command("XDEL", world.names.stream, idIn(world)),
  age: (world) => {
    const idle = ["IDLE", world.chance.below(4) * step, "JUSTID"]
    return command("XCLAIM", world.names.stream, world.names.group, "gone", 0, idIn(world), ...idle)
  }
}

/** A state, and calls on it in any order. */
export const streamPlay = (seed: number): Play => {
  const world = worldOf(chanceOf(seed))
  const commands = [...beginning(world)]
  const calls = Object.values(streamCalls)
  const others = Object.values(meanwhile)
  for (const any of world.chance.times(12, () => world.chance.oneIn(4) ? others : calls)) {
    commands.push(any[world.chance.below(any.length)]!(world), spread(world))
  }
  return { commands, state }
}
