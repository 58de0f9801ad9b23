/** The single entrance of a consumer. Reads, claims and the finder all pass their entries through here. */
import * as Effect from "effect/Effect"
import type { RedisError } from "../../Redis.ts"
import type * as entry from "../wire/entry.ts"
import * as adoption from "./adoption.ts"
import * as finder from "./finder.ts"
import type { Host } from "./host.ts"
import type { Runner } from "./runner.ts"
import * as vetting from "./vetting.ts"

type Entries = ReadonlyArray<entry.Entry>

export interface Intake extends finder.Finder {
  /**
   * Passes entries to the runner without starting them. Entries that are not UTF-8 are marked. `since` as for {@link
   * Runner.accept}.
   */
  readonly hold: (entries: Entries, since: number) => Effect.Effect<void, RedisError>
  /** Passes entries to the runner and starts them. `since` as for {@link Runner.accept}. */
  readonly accept: (entries: Entries, since: number) => Effect.Effect<void, RedisError>
}

/** The maximum number of found deliveries that are remembered. */
const maxFound = 10_000

export const make = (host: Host, consumer: string, runner: Runner): Intake => {
  const { arrivals } = host
  const { dated, isAhead, marked } = vetting.make(host, consumer)

  const placed = adoption.make(host, consumer)
  const ready = placed === undefined
    ? marked
    : (entries: Entries) => Effect.flatMap(marked(entries), placed)

  const datedIfAhead = (entries: Entries): Effect.Effect<Entries, RedisError> =>
    entries.some(isAhead) ? dated(entries) : Effect.succeed(entries)

  /** Deliveries that were found before their reply arrived. When it arrives after all, they may have run and ended. */
  const found = new Map<string, number>()
  const acceptFound = Effect.fnUntraced(function*(entries: Entries, since: number) {
    runner.accept(yield* ready(yield* datedIfAhead(entries)), since)
    runner.start()
    arrivals.forget(entries)
    for (const { deliveries, id } of entries) found.set(id, deliveries)
    for (const id of found.keys()) {
      if (found.size <= maxFound) break
      found.delete(id)
    }
  })

  const isNew = ({ deliveries, id }: entry.Entry): boolean => found.get(id) !== deliveries

  const holdReady = (entries: Entries, since: number) =>
    Effect.map(ready(entries), (ready) => runner.accept(ready, since))

  const hold: Intake["hold"] = (entries, since) => {
    const fresh = found.size === 0 ? entries : entries.filter(isNew)
    const last = fresh.at(-1)
    if (last === undefined) return Effect.void
    // Entries are read in the order of their ids, so checking the last one is enough.
    return isAhead(last) ? Effect.flatMap(dated(fresh), (next) => holdReady(next, since)) : holdReady(fresh, since)
  }

  return {
    hold,
    accept: (entries, since) =>
      datedIfAhead(entries).pipe(
        Effect.flatMap((next) => hold(next, since)),
        Effect.map(() => {
          runner.start()
          arrivals.forget(entries)
        })
      ),
    ...finder.make(host, consumer, runner, acceptFound)
  }
}
