/** Pauses of a service or a type. */
import * as Effect from "effect/Effect"
import type * as Inspector from "../../Inspector.ts"
import { dateOf } from "../base/dates.ts"
import { check, wholeMillis } from "../base/options.ts"
import { everything } from "../redis/pauses.ts"
import { pause as pauseScript, unpause } from "../scripts/steer.ts"
import type { Desk } from "./desk.ts"
import { actionType, pauseRows } from "./options.ts"

type Service = Inspector.Inspector["Service"]

export const make = (desk: Desk) => {
  const { redis } = desk

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

  return { pause, resume }
}
