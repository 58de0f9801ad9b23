import * as Effect from "effect/Effect"
import {
  countLetters,
  readLetter,
  scanLetters,
  type ScanParams,
  surveyLetters
} from "../../../internal/scripts/deadLetter.ts"
import { boundLetters, redeliverAnswer, replayLetters } from "../../../internal/scripts/deadLetterMoves.ts"
import type { RedisError } from "../../../Redis.ts"
import { type Case, cases } from "../case.ts"
import { type Chance, type Pair, pairOf } from "./pair.ts"

/** How many states each script is tried on. */
const seeds = 5

/** Calls on each state. */
const calls = 6

interface World {
  readonly pair: Pair
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

const worldOf = Effect.fnUntraced(function*(seed: number) {
  const pair = yield* pairOf(seed)
  const { chance, key, prepare } = pair
  const [deadLetters, stream] = [key("dead"), key("main")]
  const targets = [key("none"), key("list"), key("stream"), key("string")] as const
  const count = 20 + chance.below(40)
  yield* prepare([
    ["RPUSH", targets[1], "old"],
    ["XADD", targets[2], "1-1", "old", "old"],
    ["SET", targets[3], "old"],
    ...Array.from({ length: count }, (_, n) => ["XADD", deadLetters, `${n + 1}-1`, ...letter(chance)])
  ])
  return { pair, chance, deadLetters, stream, targets, count } satisfies World
})

const compare = Effect.fnUntraced(function*({ deadLetters, pair, stream, targets }: World) {
  for (const key of [deadLetters, stream, targets[2]]) yield* pair.send(["XRANGE", key ?? "", "-", "+"])
  for (const key of [targets[0], targets[1]]) {
    yield* pair.send(["LRANGE", key ?? "", 0, -1])
    yield* pair.send(["PTTL", key ?? ""])
  }
})

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

const part = (from: number, to: number) => (reply: unknown) => Array.isArray(reply) ? reply.slice(from, to) : reply

/** Each script with parameters at random. */
const programs: Readonly<Record<string, (world: World) => Effect.Effect<unknown, RedisError>>> = {
  scanLetters: (world) => world.pair.evaluate("scanLetters", scanLetters, scan(world)),
  countLetters: (world) => world.pair.evaluate("countLetters", countLetters, scan(world)),
  // Its time is of each clock.
  surveyLetters: ({ deadLetters, pair }) => pair.evaluate("surveyLetters", surveyLetters, { deadLetters }, part(1, 4)),
  readLetter: (world) =>
    world.pair.evaluate("readLetter", readLetter, { deadLetters: world.deadLetters, id: idIn(world) }),
  replayLetters: (world) => {
    const { chance, deadLetters, pair, stream, targets } = world
    return pair.evaluate("replayLetters", replayLetters, {
      deadLetters,
      stream: chance.oneIn(8) ? targets[3] ?? "" : stream,
      maxHops: chance.pick([-1, 0, 2]),
      budget: chance.pick([1, 500, 100_000]),
      ids: chance.times(6, () => idIn(world))
    })
  },
  redeliverAnswer: (world) => {
    const { chance, deadLetters, pair, targets } = world
    return pair.evaluate("redeliverAnswer", redeliverAnswer, {
      deadLetters,
      target: chance.pick(targets),
      kind: chance.pick<"list" | "stream">(["list", "stream"]),
      timeToLive: chance.pick([0, 3_000_000, 6_000_000, 0.5]),
      atLeast: chance.oneIn(2),
      id: idIn(world)
    })
  },
  // The age in it is of each clock.
  boundLetters: ({ chance, deadLetters, pair }) =>
    pair.evaluate("boundLetters", boundLetters, {
      deadLetters,
      maxCount: chance.pick([-1, 5, 20, 60]),
      maxAge: -1,
      limit: 1 + chance.below(10)
    }, part(0, 2))
}

export const deadLetterTwinCases: ReadonlyArray<Case> = cases("scripts: twins", (test) => {
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

  test("scripts of dead letters reply and write as their twins do, one after the other in any order", () =>
    Effect.gen(function*() {
      const [first, ...rest] = Object.values(programs)
      if (first === undefined) return
      for (let seed = 101; seed < 101 + seeds; seed++) {
        const world = yield* worldOf(seed)
        for (let call = 0; call < 25; call++) yield* world.chance.pick([first, ...rest])(world)
        yield* compare(world)
      }
    }))
})
