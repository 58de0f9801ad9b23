/**
 * Random calls of the scripts that work on dead letters.
 */
import {
  countLetters,
  readLetter,
  scanLetters,
  type ScanParams,
  surveyLetters
} from "../../src/internal/scripts/deadLetter.ts"
import { boundLetters, redeliverAnswer, replayLetters } from "../../src/internal/scripts/deadLetterMoves.ts"
import type { Command } from "../support/redisCommands.ts"
import { type Chance, chanceOf } from "./chance.ts"
import { command, evaluate, type Play } from "./command.ts"

const laneNames = {
  parkedEntries: "parked:entries",
  parkedDue: "parked:due",
  lanesHeld: "lanes:held",
  lanesWaiting: "lanes:waiting",
  lanesSequence: "lanes:sequence",
  lanesRules: "lanes:rules",
  lanesRates: "lanes:rates",
  lanesStopped: "lanes:stopped"
}

interface World {
  readonly chance: Chance
  readonly deadLetters: string
  readonly stream: string
  /** Keys for answers, of several types. */
  readonly targets: readonly [string, ...ReadonlyArray<string>]
  readonly count: number
}

const texts = ["", "a", "data", "packed", "fields", "replays", "ü€\u{1F600}", "1:a,", "\0", "x".repeat(300)] as const

const netstrings = (values: ReadonlyArray<string>): string =>
  values.map((value) => `${new TextEncoder().encode(value).length}:${value},`).join("")

/** A letter, or something near to one. */
const letter = (chance: Chance): ReadonlyArray<string> => {
  const fields = chance.times(4, () => [chance.pick(texts), chance.pick(texts)]).flat()
  const packed = chance.oneIn(4)
  const count = chance.oneIn(8) ? chance.pick(["", "-1", "x", "2"]) : String(packed ? 2_001 : fields.length / 2)
  return [
    ...chance.oneIn(6) ? [] : ["action_type", chance.pick(["user.create", "user.update", ""])],
    ...chance.oneIn(8) ? [] : ["reason", chance.pick(["poison", "rejected", "undeliverable", "novel"])],
    "hops",
    String(chance.below(4)),
    ...chance.oneIn(3) ? [] : ["error_type", chance.pick(["Odd", "ProcessingError"])],
    ...chance.oneIn(2) ? [] : ["undeliverable", "WRONGTYPE", "answer", `{"n":${chance.below(100)}}`],
    ...chance.oneIn(8) ? [] : ["entry_id", "1-1"],
    ...chance.oneIn(10) ? [] : ["fields", count],
    ...packed ? ["packed", chance.oneIn(5) ? chance.pick(texts) : netstrings(fields)] : fields
  ]
}

const [deadLetters, stream] = ["dead", "main"]
const targets = ["none", "list", "stream", "string"] as const

const beginning = ({ chance, count }: World): ReadonlyArray<Command> => [
  command("RPUSH", targets[1], "old"),
  command("XADD", targets[2], "1-1", "old", "old"),
  command("SET", targets[3], "old"),
  ...Array.from({ length: count }, (_, n) => command("XADD", deadLetters, `${n + 1}-1`, ...letter(chance)))
]

/** Everything that scripts write. */
const state: ReadonlyArray<Command> = [
  ...[deadLetters, stream, targets[2]].map((key) => command("XRANGE", key, "-", "+")),
  ...targets.slice(0, 2).flatMap((key) => [command("LRANGE", key, 0, -1), command("PTTL", key)])
]

const idIn = ({ chance, count }: World) => `${1 + chance.below(count + 2)}-1`

const scan = (world: World): ScanParams => {
  const { chance, deadLetters } = world
  const bound = () => chance.pick(["-", "+", idIn(world), `(${idIn(world)}`])
  const subset = (values: ReadonlyArray<string>) => chance.oneIn(2) ? [] : chance.some(values)
  return {
    deadLetters,
    reverse: chance.oneIn(2),
    from: bound(),
    to: bound(),
    reasons: subset(["poison", "rejected", "other", "undeliverable"]),
    actionTypes: subset(["user.create", ""]),
    errorTypes: subset(["Odd", ""]),
    scanLimit: 1 + chance.below(50),
    limit: 1 + chance.below(30),
    budget: chance.pick([1, 2_000, 1_000_000]),
    dataLimit: chance.pick([-1, 0, 10, 1_000])
  }
}

/** Each script with parameters at random. */
export const letterCalls: Readonly<Record<string, (world: World) => Command>> = {
  scanLetters: (world) => evaluate(scanLetters, scan(world)),
  countLetters: (world) => evaluate(countLetters, scan(world)),
  surveyLetters: ({ deadLetters }) => evaluate(surveyLetters, { deadLetters }),
  readLetter: (world) => evaluate(readLetter, { deadLetters: world.deadLetters, id: idIn(world) }),
  replayLetters: (world) => {
    const { chance, deadLetters, stream, targets } = world
    return evaluate(replayLetters, {
      ...laneNames,
      deadLetters,
      stream: chance.oneIn(8) ? targets[3] ?? "" : stream,
      maxHops: chance.pick([-1, 0, 2]),
      budget: chance.pick([1, 500, 100_000]),
      ids: chance.times(6, () => idIn(world))
    })
  },
  redeliverAnswer: (world) => {
    const { chance, deadLetters, targets } = world
    return evaluate(redeliverAnswer, {
      deadLetters,
      target: chance.pick(targets),
      kind: chance.pick<"list" | "stream">(["list", "stream"]),
      timeToLive: chance.pick([0, 3_000_000, 6_000_000, 0.5]),
      atLeast: chance.oneIn(2),
      traceparent: chance.pick([undefined, "00-1-2-01"]),
      id: idIn(world)
    })
  },
  boundLetters: ({ chance, deadLetters }) =>
    evaluate(boundLetters, {
      deadLetters,
      maxCount: chance.pick([-1, 5, 20, 60]),
      maxAge: chance.pick([-1, -1, -1, 1_000_000_000]),
      limit: 1 + chance.below(10)
    })
}

/** A state, and calls on it in any order. */
export const letterPlay = (seed: number): Play => {
  const chance = chanceOf(seed)
  const world: World = { chance, deadLetters, stream, targets, count: 5 + chance.below(40) }
  const programs = Object.values(letterCalls)
  const calls = chance.times(12, () => programs[chance.below(programs.length)]!(world))
  return { commands: [...beginning(world), ...calls], state }
}
