/**
 * The scripts of dead letters against their twins: the same random letters and calls, the same replies and the same keys.
 *
 * A failure names its seed.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import {
  countLetters,
  readLetter,
  scanLetters,
  type ScanParams,
  surveyLetters
} from "../src/internal/scripts/deadLetter.ts"
import { boundLetters, redeliverAnswer, replayLetters } from "../src/internal/scripts/deadLetterMoves.ts"
import * as Redis from "../src/Redis.ts"
import * as RedisMemory from "../src/RedisMemory.ts"
import { onServer, Place } from "./support/layers.ts"

/** mulberry32 */
const random = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below)
  }
}

type Next = (below: number) => number

const pick = <A>(next: Next, values: ReadonlyArray<A>): A => values[next(values.length)]!

const texts = ["", "a", "data", "packed", "fields", "replays", "ü€\u{1F600}", "1:a,", "\u0000", "x".repeat(300)]

const netstrings = (values: ReadonlyArray<string>): string =>
  values.map((value) => `${Buffer.byteLength(value)}:${value},`).join("")

const pairs = (next: Next): ReadonlyArray<string> =>
  Array.from({ length: 1 + next(4) }, () => [pick(next, texts), pick(next, texts)]).flat()

/** A letter, or something near to one. */
const letter = (next: Next): ReadonlyArray<string> => {
  const fields = pairs(next)
  const packed = next(4) === 0
  const count = next(8) === 0 ? pick(next, ["", "-1", "x", "2"]) : String(packed ? 2_001 : fields.length / 2)
  return [
    ...next(6) === 0 ? [] : ["action_type", pick(next, ["user.create", "user.update", ""])],
    ...next(8) === 0 ? [] : ["reason", pick(next, ["poison", "rejected", "undeliverable", "novel"])],
    "hops",
    String(next(4)),
    ...next(3) === 0 ? ["error_type", pick(next, ["Odd", "ProcessingError"])] : [],
    ...next(2) === 0 ? ["undeliverable", "WRONGTYPE", "answer", `{"n":${next(100)}}`] : [],
    ...next(8) === 0 ? [] : ["entry_id", "1-1"],
    ...next(10) === 0 ? [] : ["fields", count],
    ...packed ? ["packed", next(5) === 0 ? pick(next, texts) : netstrings(fields)] : fields
  ]
}

const arrayOf = (reply: unknown): ReadonlyArray<unknown> => Array.isArray(reply) ? reply : []

const subset = (next: Next, values: ReadonlyArray<string>): ReadonlyArray<string> =>
  next(2) === 0 ? [] : values.filter(() => next(2) === 0)

onServer("Scripts of dead letters", (test) => {
  test("reply and write as their twins do", () =>
    Effect.gen(function*() {
      const { environment } = yield* Place
      const real = yield* Redis.Redis
      for (let seed = 1; seed <= 40; seed++) {
        const next = random(seed)
        const memory = yield* RedisMemory.makeClient(yield* RedisMemory.makeServer())
        const keys = { dead: `${environment}:${seed}:dead`, stream: `${environment}:${seed}:main` }
        const targets = ["none", "list", "stream", "string"].map((name) => `${environment}:${seed}:${name}`)
        const deadLetters = keys.dead
        let step = ""

        // Entries that a script adds have the id of their moment: they are told by their number instead.
        const renamed = (reply: unknown): unknown =>
          typeof reply === "string" && /^\d{10,}-\d+$/.test(reply)
            ? "new id"
            : Array.isArray(reply)
            ? reply.map(renamed)
            : reply
        const both = Effect.fnUntraced(function*(
          name: string,
          call: (redis: Redis.Redis["Service"]) => Effect.Effect<unknown, Redis.RedisError>
        ) {
          step += `${name}\n`
          const settled = (redis: Redis.Redis["Service"]) =>
            Effect.match(call(redis), {
              onFailure: (error) => `error ${String(error.cause).match(/[A-Z]{5,}/)?.[0]}`,
              onSuccess: renamed
            })
          const replies = [yield* settled(real), yield* settled(memory)]
          assert.deepStrictEqual(replies[1], replies[0], `seed ${seed}, ${step}`)
        })
        const send = (...args: readonly [string, ...ReadonlyArray<string>]) =>
          both(args.slice(0, 3).join(" "), (redis) => redis.send(...args))

        yield* send("RPUSH", targets[1]!, "old")
        yield* send("XADD", targets[2]!, "1-1", "old", "old")
        yield* send("SET", targets[3]!, "old")
        const count = 20 + next(60)
        for (let i = 1; i <= count; i++) yield* send("XADD", deadLetters, `${i}-1`, ...letter(next))

        for (let i = 0; i < 25; i++) {
          const id = `${1 + next(count)}-1`
          const bound = () => pick(next, ["-", "+", id, `(${1 + next(count)}-1`])
          const scan: ScanParams = {
            deadLetters,
            reverse: next(2) === 0,
            from: bound(),
            to: bound(),
            reasons: subset(next, ["poison", "rejected", "other", "undeliverable"]),
            actionTypes: subset(next, ["user.create", ""]),
            errorTypes: subset(next, ["Odd", ""]),
            scanLimit: 1 + next(50),
            limit: 1 + next(30),
            budget: pick(next, [1, 2_000, 1_000_000]),
            dataLimit: pick(next, [-1, 0, 10, 1_000])
          }
          switch (next(7)) {
            case 0:
            case 1:
              yield* both(`scan ${JSON.stringify(scan)}`, (redis) => redis.eval(scanLetters.script)(scan))
              break
            case 2:
              yield* both(`count ${JSON.stringify(scan)}`, (redis) => redis.eval(countLetters.script)(scan))
              break
            case 3:
              yield* both(`read ${id}`, (redis) => redis.eval(readLetter.script)({ deadLetters, id }))
              break
            case 4: {
              const ids = Array.from({ length: 1 + next(5) }, () => `${1 + next(count)}-1`)
              const params = {
                deadLetters,
                stream: next(8) === 0 ? targets[3]! : keys.stream,
                maxHops: pick(next, [-1, 0, 2]),
                budget: pick(next, [1, 500, 100_000]),
                ids
              }
              yield* both(`replay ${JSON.stringify(params)}`, (redis) => redis.eval(replayLetters.script)(params))
              break
            }
            case 5: {
              const params = {
                deadLetters,
                target: pick(next, targets),
                kind: pick(next, ["list", "stream"] as const),
                timeToLive: 0,
                id
              }
              yield* both(`redeliver ${JSON.stringify(params)}`, (redis) => redis.eval(redeliverAnswer.script)(params))
              break
            }
            case 6: {
              const params = { deadLetters, maxCount: pick(next, [-1, 1, 30, 60]), maxAge: -1, limit: 1 + next(20) }
              // The age in it is of each clock.
              const bounded = (redis: Redis.Redis["Service"]) =>
                Effect.map(redis.eval(boundLetters.script)(params), (reply) => arrayOf(reply).slice(0, 2))
              yield* both(`bound ${JSON.stringify(params)}`, bounded)
              break
            }
          }
        }
        yield* both("survey", (redis) =>
          Effect.map(redis.eval(surveyLetters.script)({ deadLetters }), (reply) => arrayOf(reply).slice(1)))
        for (const key of [keys.dead, keys.stream, targets[2]!]) {
          yield* send("XRANGE", key, "-", "+")
        }
        for (const key of targets.slice(0, 2)) {
          yield* both(key, (redis) =>
            Effect.flatMap(redis.send("TYPE", key), (type) =>
              type === "list" ? redis.send("LRANGE", key, "0", "-1") : Effect.succeed(type)))
        }
      }
    }), 120_000)

  test("drop by age exactly, a bounded number at a time", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const redis = yield* Redis.Redis
      const now = Number((yield* redis.send<[string, string]>("TIME"))[0]) * 1000
      const hour = 3_600_000
      for (let i = 0; i < 450; i++) yield* redis.send("XADD", names.deadLetters, `${now - 10 * hour}-${i}`, "a", "b")
      for (let i = 0; i < 5; i++) yield* redis.send("XADD", names.deadLetters, `${now - hour}-${i}`, "a", "b")
      const bound = redis.eval(boundLetters.script)({
        deadLetters: names.deadLetters,
        maxCount: -1,
        maxAge: 5 * hour,
        limit: 200
      })
      const lefts: Array<number> = []
      for (let dropped = 1; dropped > 0;) {
        const reply = arrayOf(yield* bound).map(Number)
        dropped = reply[0]!
        assert.isAtMost(dropped, 200)
        lefts.push(reply[1]!)
      }
      assert.strictEqual(lefts.at(-1), 5)
      assert.isAbove(lefts.length, 3)
    }))
})
