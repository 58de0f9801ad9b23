/** The schedules of a service in Redis: reading them, and changing one unless another process has changed it meanwhile. */
import * as Effect from "effect/Effect"
import type { Redis, RedisError } from "../../Redis.ts"
import type { Names } from "../redis/names.ts"
import { strings } from "../redis/reply.ts"
import { pages } from "../scripts/bounds.ts"
import { fireSchedule, readSchedules, renewSchedules, scheduleNames, writeSchedule } from "../scripts/schedules.ts"
import { dueAt } from "./plan.ts"
import { decodeState, decodeStored, encodeState, encodeStored, recurrenceOf, type State, type Stored } from "./spec.ts"

/** A schedule as it was read, with the texts that a change is compared with. */
export interface Found {
  readonly name: string
  /** The server's time when it was read, in milliseconds. */
  readonly now: number
  /** `undefined` if there is no schedule with the name. */
  readonly stored: Stored | undefined
  readonly state: State
  readonly specText: string
  readonly stateText: string
}

/** Schedules that one call reads. */
const maxRead = 100

/** When a schedule is due, in milliseconds; empty if never. */
const dueOf = (name: string, { origin, spec }: Stored, { paused, slot }: State): string => {
  if (slot === undefined || paused !== undefined || origin === "orphaned") return ""
  const recurrence = recurrenceOf(spec)
  return recurrence._tag === "Failure" ? "" : String(dueAt(name, spec, recurrence.success, slot))
}

export const make = (redis: Redis["Service"], names: Names) => {
  const readPage = Effect.fnUntraced(function*(page: ReadonlyArray<string>) {
    const [time, ...texts] = strings(yield* redis.eval(readSchedules.script)({ ...names, names: page }))
    return page.map((name, index): Found => {
      const [specText = "", stateText = ""] = texts.slice(2 * index)
      return {
        name,
        now: Number(time),
        stored: decodeStored(specText),
        state: decodeState(stateText),
        specText,
        stateText
      }
    })
  })

  const read = (some: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<Found>, RedisError> =>
    Effect.map(Effect.forEach(pages(some, maxRead), readPage), (all) => all.flat())

  /** Reads a schedule, changes it, and begins again if another process was faster. */
  const change = <A, E>(
    name: string,
    decide: (
      found: Found
    ) => Effect.Effect<readonly [change: { stored: Stored; state: State } | "remove" | "keep", A], E>
  ): Effect.Effect<A, E | RedisError> =>
    Effect.flatMap(read([name]), ([found]) =>
      Effect.flatMap(decide(found!), ([next, result]) => {
        if (next === "keep") return Effect.succeed(result)
        const written = redis.eval(writeSchedule.script)({
          ...names,
          name,
          specBefore: found!.specText,
          stateBefore: found!.stateText,
          spec: next === "remove" ? "" : encodeStored(next.stored),
          state: next === "remove" ? "" : encodeState(next.state),
          due: next === "remove" ? "" : dueOf(name, next.stored, next.state)
        })
        return Effect.flatMap(written, (done) => Number(done) === 1 ? Effect.succeed(result) : change(name, decide))
      }))

  return {
    read,
    change,
    all: Effect.map(redis.eval(scheduleNames.script)(names), strings),
    /**
     * Appends actions and moves on. Returns the entry ids, or `undefined` if another process was first. A slot of `alone` may be
     * skipped: then there are none, and the state is the other one.
     */
    fire: (
      found: Found,
      stored: Stored,
      state: State,
      texts: ReadonlyArray<string>,
      alone?: { readonly id: string; readonly lane: string; readonly rule: string; readonly ifSkipped: State }
    ) =>
      Effect.map(
        redis.eval(fireSchedule.script)({
          ...names,
          name: found.name,
          version: stored.version,
          stateBefore: found.stateText,
          state: encodeState(state),
          due: dueOf(found.name, stored, state),
          texts,
          alone: alone === undefined
            ? undefined
            : {
              keys: names,
              id: alone.id,
              lane: alone.lane,
              rule: alone.rule,
              stateIfSkipped: encodeState(alone.ifSkipped)
            }
        }),
        (reply) => Array.isArray(reply) ? strings(reply) : undefined
      ),
    /** A schedule as it is after a change of its state. */
    moved: (found: Found, state: State): Found => ({ ...found, state, stateText: encodeState(state) }),
    renew: (versions: ReadonlyArray<readonly [string, string]>) =>
      Effect.map(redis.eval(renewSchedules.script)({ ...names, versions }), Number)
  }
}

export type Store = ReturnType<typeof make>
