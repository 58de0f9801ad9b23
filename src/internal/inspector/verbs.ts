/** What an operator can do: each verb is one script, which leaves alone what runs. */
import type * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import type * as Inspector from "../../Inspector.ts"
import { dateOf } from "../base/dates.ts"
import { check, positiveTime, wholeMillis } from "../base/options.ts"
import { type Names, uniqueKey } from "../redis/names.ts"
import { everything } from "../redis/pauses.ts"
import { array, strings } from "../redis/reply.ts"
import { reschedule as rescheduleScript, uniqueHashOf, unpark } from "../scripts/park.ts"
import { buryEntry, buryParked, hasten, pause as pauseScript, removeEntries, unpause } from "../scripts/steer.ts"
import type { Desk } from "./desk.ts"
import { ActionNotFound, Running, WrongState } from "./errors.ts"
import { search, wantedOf } from "./find.ts"
import { actionType, findRows, pauseRows } from "./options.ts"

type Service = Inspector.Inspector["Service"]

/** A place of an action, as one look found it. The script of the verb looks again. */
type Place =
  | {
    readonly _tag: "Parked"
    readonly id: string
    readonly entry: Inspector.ScheduledEntry | Inspector.QueuedEntry
  }
  | { readonly _tag: "Entry"; readonly id: string; readonly entry: Inspector.Entry }

export const removeParked = Effect.fnUntraced(function*({ naming, redis }: Desk, names: Names, parkingId: string) {
  const hash = yield* redis.eval(uniqueHashOf.script)({ ...names, parkingId })
  if (typeof hash !== "string") return false
  const removed = yield* redis.eval(unpark.script)({
    ...names,
    uniqueKey: hash === "" ? undefined : uniqueKey(naming, names.service, hash),
    parkingId
  })
  return Number(removed) > 0
})

export const make = (desk: Desk, context: Context.Context<never>) => {
  const { redis } = desk
  const reading = { contracts: desk.contracts, context, payload: false }
  const within = { reading, limit: findRows.limit.fallback, onProgress: () => Effect.void }

  const gone = (names: Names, id: string, complete = true) =>
    new ActionNotFound({ service: names.service, id, complete })

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

  /** What a script said of an entry that it did not change. */
  const refused = (names: Names, id: string, operation: string, state: string, consumer: string, expected: string) =>
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

  const act = <A, E>(
    target: Inspector.Target,
    operation: string,
    run: (names: Names, place: Place) => Effect.Effect<A, E>
  ) =>
    desk.on(
      target.service,
      operation,
      (names) => Effect.flatMap(placeOf(names, target, operation), (place) => run(names, place))
    )

  const cancel: Service["cancel"] = (target) =>
    act(
      target,
      "cancel",
      Effect.fnUntraced(function*(names, place) {
        if (place._tag === "Parked") {
          const removed = yield* removeParked(desk, names, place.id)
          if (!removed) return yield* gone(names, place.id)
          return { from: place.entry.state, id: place.id } satisfies Inspector.Cancelled
        }
        const [state = "", consumer = ""] = strings(
          yield* redis.eval(removeEntries.script)({ ...names, ids: [place.id] })
        )
        if (state === "waiting" || state === "retrying") {
          return { from: state, id: place.id } satisfies Inspector.Cancelled
        }
        return yield* Effect.fail(
          refused(
            names,
            place.id,
            "cancel",
            state,
            consumer,
            "waiting in a stream with one group, retrying or scheduled"
          )
        )
      })
    )

  const retryNow: Service["retryNow"] = (target) =>
    act(
      target,
      "retry",
      Effect.fnUntraced(function*(names, place) {
        if (place._tag === "Parked") {
          if (place.entry.state === "queued") return yield* waitsInLane("retry", place.id, "retrying or scheduled")
          const at = yield* redis.eval(rescheduleScript.script)({ ...names, parkingId: place.id, when: "" })
          if (typeof at !== "string") return yield* gone(names, place.id)
          return
        }
        const [state = "", consumer = ""] = strings(yield* redis.eval(hasten.script)({ ...names, id: place.id }))
        if (state !== "retrying") {
          return yield* Effect.fail(refused(names, place.id, "retry", state, consumer, "retrying or scheduled"))
        }
      })
    )

  const reschedule: Service["reschedule"] = Effect.fnUntraced(function*(target, when) {
    const time = "delay" in when
      ? `+${wholeMillis(yield* Effect.fromResult(check("delay", delay, when.delay)))}`
      : `@${DateTime.toEpochMillis(when.at)}`
    return yield* act(
      target,
      "reschedule",
      Effect.fnUntraced(function*(names, place) {
        if (place._tag === "Entry") {
          return yield* new WrongState({
            operation: "reschedule",
            id: place.id,
            state: place.entry.state,
            expected: "scheduled"
          })
        }
        if (place.entry.state === "queued") return yield* waitsInLane("reschedule", place.id, "scheduled")
        const at = yield* redis.eval(rescheduleScript.script)({ ...names, parkingId: place.id, when: time })
        return typeof at === "string" ? dateOf(Number(at)) : yield* gone(names, place.id)
      })
    )
  })

  const bury: Service["bury"] = Effect.fnUntraced(function*(target, options = {}) {
    const reason = yield* Effect.fromResult(check("reason", pauseRows.reason, options.reason ?? ""))
    const message = reason === "" ? "An operator buried the action" : reason
    return yield* act(
      target,
      "bury",
      Effect.fnUntraced(function*(names, { _tag, entry, id }) {
        const notes = { actionId: entry.actionId ?? "", actionType: entry.actionType ?? "", message }
        if (_tag === "Parked") {
          const letter = yield* redis.eval(buryParked.script)({ ...names, ...notes, parkingId: id })
          return typeof letter === "string" ? letter : yield* gone(names, id)
        }
        const [state = "", detail = ""] = strings(yield* redis.eval(buryEntry.script)({ ...names, ...notes, id }))
        if (state === "waiting" || state === "retrying") return detail
        return yield* Effect.fail(
          refused(names, id, "bury", state, detail, "waiting in a stream with one group, retrying or scheduled")
        )
      })
    )
  })

  const fieldOf = (type: string | undefined) =>
    type === undefined ? Effect.succeed(everything) : Effect.fromResult(check("actionType", actionType, type))

  const pause: Service["pause"] = Effect.fnUntraced(function*(service, options = {}) {
    const field = yield* fieldOf(options.actionType)
    const reason = yield* Effect.fromResult(check("reason", pauseRows.reason, options.reason ?? ""))
    const lasts = options.for === undefined
      ? undefined
      : wholeMillis(yield* Effect.fromResult(check("for", pauseRows.for, options.for)))
    const ends = yield* desk.on(
      service,
      "pause",
      (names) => redis.eval(pauseScript.script)({ ...names, field, lasts, reason })
    )
    return {
      actionType: options.actionType,
      until: ends === "halted" ? undefined : dateOf(Number(ends)),
      reason
    }
  })

  const resume: Service["resume"] = Effect.fnUntraced(function*(service, options = {}) {
    const field = yield* fieldOf(options.actionType)
    const removed = yield* desk.on(service, "resume", (names) => redis.eval(unpause.script)({ ...names, field }))
    return Number(removed) > 0
  })

  return { cancel, retryNow, reschedule, bury, pause, resume }
}

const waitsInLane = (operation: string, id: string, expected: string) =>
  new WrongState({ operation, id, state: "queued in its lane", expected })

const delay = positiveTime("10 minutes")

/** Statuses in pairs: state and consumer. */
export const statesOf = (reply: unknown): ReadonlyArray<string> =>
  array(reply).flatMap((value, index) => index % 2 === 0 ? [String(value)] : [])
