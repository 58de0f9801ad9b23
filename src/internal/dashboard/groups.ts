/**
 * The groups of dead letters of each service. The process keeps them and reads only the letters that came since. Letters
 * that were removed show in the length of the stream, and then all are counted again.
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { SummaryGroup } from "../../DeadLetter.ts"
import type * as Inspector from "../../Inspector.ts"
import type { QueueNamingShape } from "../../QueueNaming.ts"
import type { Redis, RedisError } from "../../Redis.ts"
import { addGroups, sorted } from "../deadLetter/counting.ts"
import { after, type Scan, scanOf } from "../deadLetter/reading.ts"
import { permitting } from "../inspector/errorsOf.ts"
import { namesOf } from "../redis/names.ts"
import { asProblem, type Problem } from "./failures.ts"
import type * as models from "./models.ts"

export type Groups = typeof models.LetterGroups.Type

/** What was counted, and the letter after which to go on. */
interface Counted {
  readonly groups: Map<string, SummaryGroup>
  readonly last: string
}

/** How long all users of this process share what was counted. */
const sharedFor = Duration.seconds(2)

const none = (): Counted => ({ groups: new Map(), last: "" })

const totalOf = ({ groups }: Counted): number => [...groups.values()].reduce((sum, { count }) => sum + count, 0)

/** Counts the letters that came after those that were counted before. */
const countFrom = Effect.fnUntraced(function*(redis: Redis["Service"], key: string, before: Counted) {
  const scan: Scan | undefined = yield* Effect.orDie(scanOf(redis, key, {}))
  if (scan === undefined) return none()
  const groups = new Map(before.groups)
  yield* addGroups(redis, groups, before.last === "" ? scan : after(scan, before.last), scan.now)
  return { groups, last: scan.to } satisfies Counted
})

const count = Effect.fnUntraced(function*(redis: Redis["Service"], key: string, before: Counted) {
  const counted = yield* countFrom(redis, key, before)
  const length = Number(yield* redis.send("XLEN", key))
  // Letters that came between the two commands make the stream longer; only a removal makes it shorter.
  return before.last === "" || totalOf(counted) <= length ? counted : yield* countFrom(redis, key, none())
})

export interface Counts {
  /** Returns the groups of a service, largest first. */
  readonly of: (service: string) => Effect.Effect<Groups, Problem>
  /** What was counted before is not shown again, because this process removed letters. */
  readonly forget: (service: string) => void
}

export const make = (
  inspector: Inspector.Inspector["Service"],
  redis: Redis["Service"],
  naming: QueueNamingShape
): Counts => {
  const known = new Map<string, Counted>()
  const shared = new Map<string, Effect.Effect<Groups, Problem>>()

  const read = (service: string): Effect.Effect<Groups, Problem> =>
    Effect.gen(function*() {
      // Fails if there is no such service, so that names of a path make no keys.
      yield* inspector.deadLetters(service)
      const key = namesOf(naming, service).deadLetters
      const asOf = yield* DateTime.now
      const counted = yield* permitting(service, "read dead letters")<Counted, RedisError, never>(
        count(redis, key, known.get(service) ?? none())
      )
      known.set(service, counted)
      return { asOf, total: totalOf(counted), groups: sorted(counted.groups) }
    }).pipe(asProblem)

  return {
    of: (service) =>
      Effect.suspend(() => {
        const found = shared.get(service)
        if (found !== undefined) return found
        return Effect.flatMap(Effect.cachedWithTTL(read(service), sharedFor), (made) => {
          if (shared.size > 1_000) shared.clear()
          shared.set(service, made)
          return made
        })
      }),
    forget: (service) => {
      shared.delete(service)
    }
  }
}
