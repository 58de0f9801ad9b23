/**
 * A script against its twin: the layer under test and a memory of the case's own are given the same state and the same
 * calls, and have to reply and to end up alike. On a real server that is the Lua against the TypeScript.
 *
 * Times are of each clock. They are moved in steps of a million milliseconds, so that real milliseconds do not matter.
 */
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import type * as Scope from "effect/Scope"
import type { LibraryScript } from "../../src/internal/scripts/script.ts"
import { Redis, type RedisError } from "../../src/Redis.ts"
import * as RedisMemory from "../../src/RedisMemory.ts"
import { messageOf, Place, same } from "../../src/testing/conformance/case.ts"

type Service = Redis["Service"]
type Argument = string | number

/** A step of time, in milliseconds. */
export const step = 1_000_000

// -----------------------------------------------------------------------------
// chance
// -----------------------------------------------------------------------------

/** Random choices, the same for the same seed. */
export interface Chance {
  readonly below: (bound: number) => number
  /** One in so many. */
  readonly oneIn: (count: number) => boolean
  readonly pick: <A>(values: readonly [A, ...ReadonlyArray<A>]) => A
  /** Some of them, in their order. */
  readonly some: <A>(values: ReadonlyArray<A>) => ReadonlyArray<A>
  readonly times: <A>(most: number, make: () => A) => ReadonlyArray<A>
}

/** mulberry32 */
const chanceOf = (seed: number): Chance => {
  let state = seed
  const below = (bound: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * bound)
  }
  return {
    below,
    oneIn: (count) => below(count) === 0,
    pick: (values) => values[below(values.length)] ?? values[0],
    some: (values) => values.filter(() => below(2) === 0),
    times: (most, make) => Array.from({ length: 1 + below(most) }, make)
  }
}

// -----------------------------------------------------------------------------
// two servers
// -----------------------------------------------------------------------------

export interface Pair {
  readonly chance: Chance
  /** A key; the seed is part of its name. */
  readonly key: (name: string) => string
  /** Commands for both, in this order, whose replies are not compared. */
  readonly prepare: (commands: ReadonlyArray<ReadonlyArray<Argument>>) => Effect.Effect<void, RedisError>
  /** A command for both, whose replies (or a part of them) have to be alike. */
  readonly send: (
    command: ReadonlyArray<Argument>,
    part?: (reply: unknown) => unknown
  ) => Effect.Effect<unknown>
  /** A script for both, whose replies (or a part of them) have to be alike. The memory's is given back. */
  readonly evaluate: <Params>(
    name: string,
    script: LibraryScript<Params>,
    params: Params,
    part?: (reply: unknown) => unknown
  ) => Effect.Effect<unknown>
}

/** An id that was made from a clock. */
const newId = /^\d{7,}-\d+$/

const clockOf = (redis: Service) =>
  Effect.map(redis.send<ReadonlyArray<string>>("TIME"), (time) => Number(time[0]) * 1000 + Number(time[1]) / 1000)

/** Times are told by how far they are from now, in steps; short numbers are no times. */
const timeless = (value: number, now: number): unknown => {
  if (Math.abs(value) < step / 10) return value
  return Math.abs(value) < step * 1_000
    ? `${Math.round(value / step)} steps`
    : `now and ${Math.round((value - now) / step)} steps`
}

const normal = (reply: unknown, now: number): unknown => {
  if (Array.isArray(reply)) return reply.map((part) => normal(part, now))
  if (reply instanceof Map) return normal([...reply].flat(), now)
  if (typeof reply === "object" && reply !== null) return normal(Object.entries(reply).flat(), now)
  if (typeof reply === "number") return timeless(reply, now)
  if (typeof reply !== "string") return reply ?? null
  if (newId.test(reply)) return "new id"
  if (/^-?\d{6,}(?:\.\d+)?$/.test(reply)) return String(timeless(Number(reply), now))
  return /^[0-9.]+$/.test(reply)
    ? String(Number(reply))
    : reply.replace(/^-(?=[A-Z]+ )/, "").replace(/ script: .*$/s, "")
}

interface Outcome {
  readonly reply?: unknown
  readonly error?: unknown
}

const settled = (redis: Service, call: Effect.Effect<unknown, RedisError>): Effect.Effect<Outcome> =>
  Effect.matchEffect(Effect.zip(call, clockOf(redis)), {
    onFailure: (error) => Effect.succeed({ error: normal(messageOf(error), 0) }),
    onSuccess: ([reply, now]) => Effect.succeed({ reply: normal(reply, now) })
  })

/** Two servers, empty, and choices from a seed. */
export const pairOf = (seed: number): Effect.Effect<Pair, never, Redis | Place | Scope.Scope> =>
  Effect.gen(function*() {
    const place = yield* Place
    const real = yield* Redis
    const memory = yield* RedisMemory.makeClient(yield* RedisMemory.makeServer)
    const history: Array<string> = []

    const shown = (what: string) => what.replaceAll(place.key(`${seed}:`), "").replace(/x{30,}/g, "xx…").slice(0, 600)
    const both = Effect.fnUntraced(function*(
      what: string,
      call: (redis: Service) => Effect.Effect<unknown, RedisError>,
      part: (reply: unknown) => unknown = identity
    ) {
      history.push(shown(what))
      const told = (redis: Service) => settled(redis, Effect.map(call(redis), part))
      const [here, there] = [yield* told(memory), yield* told(real)]
      same(`seed ${seed}, the last of\n${history.slice(-40).join("\n")}\n`, there, here)
      return here.reply
    })

    return {
      chance: chanceOf(seed),
      key: (name) => place.key(`${seed}:${name}`),
      prepare: (commands) => {
        for (const command of commands) history.push(shown(command.join(" ")))
        return Effect.forEach([memory, real], (redis) =>
          Effect.all(
            commands.map(([command, ...args]) => redis.send(String(command), ...args.map(String))),
            // One after the other all the same: a connection keeps the order.
            { concurrency: "unbounded", discard: true }
          ), { discard: true })
      },
      send: (command, part) =>
        both(
          command.join(" "),
          (redis) => redis.send(String(command[0]), ...command.slice(1).map(String)),
          part
        ),
      evaluate: (name, script, params, part) =>
        both(`${name} ${JSON.stringify(params)}`, (redis) => redis.eval(script.script)(params), part)
    }
  })
