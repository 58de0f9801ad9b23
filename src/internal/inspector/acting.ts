/** Finds the action that a verb is for, and says why it was not changed. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Inspector from "../../Inspector.ts"
import type { Names } from "../redis/names.ts"
import type { Desk } from "./desk.ts"
import { ActionNotFound, Running, WrongState } from "./errors.ts"
import { search, wantedOf } from "./find.ts"
import { findRows } from "./options.ts"

/** A place of an action, as one look found it. The script of the verb looks again. */
export type Place =
  | {
    readonly _tag: "Parked"
    readonly id: string
    readonly entry: Inspector.ScheduledEntry | Inspector.QueuedEntry
  }
  | { readonly _tag: "Entry"; readonly id: string; readonly entry: Inspector.Entry }

export const gone = (names: Names, id: string, complete = true) =>
  new ActionNotFound({ service: names.service, id, complete })

/** What a script said of an entry that it did not change. */
export const refused = (
  names: Names,
  id: string,
  operation: string,
  state: string,
  consumer: string,
  expected: string
) =>
  state === "running"
    ? new Running({ service: names.service, entryId: id, consumer })
    : state === "missing" || state === "ended"
    ? gone(names, id)
    : new WrongState({
      operation,
      id,
      state: state === "shared"
        ? "waiting in a stream with several groups, which may need it"
        : state === "held"
        ? "held because its type is paused"
        : state,
      expected
    })

/** Makes what runs a verb where the action is now. */
export const acting = (desk: Desk, context: Context.Context<never>) => {
  const reading = { contracts: desk.contracts, context, payload: false }
  const within = { reading, limit: findRows.limit.fallback, onProgress: () => Effect.void }

  const placeOf = Effect.fnUntraced(function*(names: Names, target: Inspector.Target, operation: string) {
    const wanted = yield* wantedOf(desk, target)
    const { complete, entry } = yield* search(desk, names, wanted, within)
    if (entry === undefined) return yield* gone(names, wanted.id, complete)
    if (entry.state === "scheduled" || entry.state === "queued") {
      return { _tag: "Parked", id: entry.parkingId, entry } satisfies Place
    }
    if (entry.state === "dead") {
      return yield* new WrongState({
        operation,
        id: wanted.id,
        state: `a dead letter (${entry.letter.id})`,
        expected: "waiting, retrying or scheduled"
      })
    }
    return { _tag: "Entry", id: entry.entryId, entry } satisfies Place
  })

  return <A, E>(
    target: Inspector.Target,
    operation: string,
    run: (names: Names, place: Place) => Effect.Effect<A, E>
  ) =>
    desk.on(
      target.service,
      operation,
      (names) => Effect.flatMap(placeOf(names, target, operation), (place) => run(names, place))
    )
}
