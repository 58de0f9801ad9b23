/** What an operator can do: each verb is one script, which leaves alone what runs. */
import type * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import type * as Inspector from "../../Inspector.ts"
import { dateOf } from "../base/dates.ts"
import { check, positiveTime, wholeMillis } from "../base/options.ts"
import { type Names, uniqueKey } from "../redis/names.ts"
import { array, strings } from "../redis/reply.ts"
import { reschedule as rescheduleScript, uniqueHashOf, unpark } from "../scripts/park.ts"
import { buryEntry, buryParked, hasten, removeEntries } from "../scripts/steer.ts"
import { acting, gone, refused } from "./acting.ts"
import type { Desk } from "./desk.ts"
import { WrongState } from "./errors.ts"
import { pauseRows } from "./options.ts"

type Service = Inspector.Inspector["Service"]

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
  const act = acting(desk, context)

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

  return { cancel, retryNow, reschedule, bury }
}

const waitsInLane = (operation: string, id: string, expected: string) =>
  new WrongState({ operation, id, state: "queued in its lane", expected })

const delay = positiveTime("10 minutes")

/** Statuses in pairs: state and consumer. */
export const statesOf = (reply: unknown): ReadonlyArray<string> =>
  array(reply).flatMap((value, index) => index % 2 === 0 ? [String(value)] : [])
