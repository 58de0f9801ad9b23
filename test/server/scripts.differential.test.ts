/**
 * Every script of the library in memory and on a server: random states, random calls, every reply and the final state equal.
 *
 * `DIFFERENTIAL_SEQUENCES` and `DIFFERENTIAL_SEED` are those of RedisMemory.differential.test.ts.
 */
import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { boundLetters } from "../../src/internal/scripts/deadLetterMoves.ts"
import { listEntries, lookAt, overview } from "../../src/internal/scripts/inspect.ts"
import * as RedisMemory from "../../src/RedisMemory.ts"
import { step, texts, withText } from "../scripts/command.ts"
import { letterPlay } from "../scripts/deadLetters.ts"
import { streamPlay } from "../scripts/streams.ts"
import { type Compare, type Difference, makeRuns, search } from "../support/differential.ts"
import { libraryScripts } from "../support/libraryScripts.ts"
import type { Command } from "../support/redisCommands.ts"
import * as RedisServer from "../support/redisServer.ts"

const sequences = Number(process.env["DIFFERENTIAL_SEQUENCES"] ?? 2000)
const seeds = { first: Number(process.env["DIFFERENTIAL_SEED"] ?? 1), count: sequences }

const playOf = (seed: number) => seed % 3 === 0 ? letterPlay(seed) : streamPlay(seed)

// Normal forms

/** An id that was made from a clock. */
const newId = /^\d{7,}-\d+$/

/** Times are told by how far they are from now, in steps; short numbers are no times. */
const timeless = (value: number, now: number): unknown => {
  if (Math.abs(value) < step / 10) return value
  return Math.abs(value) < step * 1_000
    ? `${Math.round(value / step)} steps`
    : `now and ${Math.round((value - now) / step)} steps`
}

const withoutTimes = (reply: unknown, now: number): unknown => {
  if (Array.isArray(reply)) return reply.map((part) => withoutTimes(part, now))
  if (reply instanceof Error) return `error: ${reply.message}`
  if (typeof reply === "number") return timeless(reply, now)
  if (typeof reply !== "string") return reply
  if (newId.test(reply)) return "new id"
  return /^-?\d{6,}(?:\.\d+)?$/.test(reply)
    ? String(timeless(Number(reply), now))
    // Two entries of one millisecond here may be of two there.
    : reply.replace(/(?<!\d)\d{13}-\d+/g, "new id").replace(
      /(?<!\d)\d{13}(?!\d)/g,
      (time) => String(timeless(Number(time), now))
    )
}

/** Pairs of a flat list, in an order that no clock and no hash function has a part in. */
const pairs = (reply: unknown): unknown =>
  Array.isArray(reply)
    ? Array.from({ length: reply.length / 2 }, (_, i) => `${reply[i * 2]}: ${reply[i * 2 + 1]}`)
      .toSorted((a, b) => a < b ? -1 : 1)
    : reply

/** Rows of a pending list: what was just delivered is a few milliseconds older here than there. */
const idleInSteps = (reply: unknown): unknown =>
  Array.isArray(reply)
    ? reply.map((row: ReadonlyArray<unknown>) =>
      Array.isArray(row) ? row.map((part, i) => i === 2 ? Math.round(Number(part) / step) : withoutTimes(part, 0)) : row
    )
    : reply

const normalise = ([name, ...args]: Command, reply: unknown, now: number): unknown => {
  if (name === "XPENDING" && args.length > 2 && Array.isArray(reply)) return idleInSteps(reply)
  // How old the oldest letter is: a few milliseconds, if a call has written it.
  const isBounding = texts.get(args[0] ?? "") === boundLetters.lua
  const isListing = listings.has(texts.get(args[0] ?? "") ?? "")
  const value = isListing
    ? withoutTimes(withoutIdle(reply), now)
    : isBounding && Array.isArray(reply)
    ? reply.map((part, i) => i === 2 ? Math.round(Number(part) / step) : part)
    : withoutTimes(reply, now)
  return name === "HGETALL" || (name === "ZRANGE" && args.at(-1) === "WITHSCORES") ? pairs(value) : value
}

/** Scripts whose rows tell how long a consumer or an entry was idle: a few milliseconds. */
const listings = new Set([overview.lua, listEntries.lua, lookAt.lua])

/** Numbers of milliseconds in rows that begin with a name or an id. */
const withoutIdle = (reply: unknown): unknown =>
  Array.isArray(reply)
    ? reply.map((part) =>
      Array.isArray(part) && typeof part[0] === "string"
        ? part.map((value, i) => (i === 2 && part.length === 3) || i === 5 ? Math.round(Number(value) / step) : value)
        : withoutIdle(part)
    )
    : reply

const timeOf = (reply: unknown): number => Array.isArray(reply) ? Number(reply[0]) * 1000 + Number(reply[1]) / 1000 : 0

const compareOn = (state: ReadonlyArray<Command>): Compare => ({ memory, server }, commands) =>
  Effect.gen(function*() {
    const all: ReadonlyArray<Command> = [["FLUSHALL"], ...commands, ...state, ["TIME"]]
    const [theirs, ours] = [yield* server(all), yield* memory(all)]
    const [theirNow, ourNow] = [timeOf(theirs.at(-1)), timeOf(ours.at(-1))]
    for (let index = 0; index < all.length - 1; index++) {
      const command = all[index] ?? []
      const difference: Difference = {
        command: withText(command),
        server: normalise(command, theirs[index], theirNow),
        memory: normalise(command, ours[index], ourNow)
      }
      if (JSON.stringify(difference.server) !== JSON.stringify(difference.memory)) return difference
    }
    return undefined
  })

layer(RedisServer.layer(), { excludeTestServices: true })("the scripts of the library", (it) => {
  it.effect(
    `reply and write in memory as on a server in ${sequences} random sequences of calls`,
    () =>
      Effect.gen(function*() {
        const runs = yield* makeRuns
        const load = libraryScripts.map(({ lua }): Command => ["SCRIPT", "LOAD", lua])
        yield* runs.server(load)
        yield* runs.memory(load)
        const difference = yield* search(
          seeds,
          (seed) => {
            const { commands, state } = playOf(seed)
            return { commands, compare: compareOn(state) }
          },
          runs,
          withText
        )
        if (difference !== undefined) assert.fail(difference)
      }).pipe(Effect.provide(RedisMemory.layer)),
    0
  )
})

describe("random calls of scripts", () => {
  it("are drawn of every script of the library", () => {
    for (let seed = 1; seed < 100; seed++) playOf(seed)
    const drawn = new Set(texts.values())
    assert.deepStrictEqual(libraryScripts.filter(({ lua }) => !drawn.has(lua)).map(({ name }) => name), [])
  })
})
