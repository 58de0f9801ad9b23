/** Delivers the answer in a dead letter once more. */
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Result from "effect/Result"
import * as DomainAction from "../../DomainAction.ts"
import { slotsOf } from "../redis/cluster.ts"
import { accepts } from "../redis/names.ts"
import { strings } from "../redis/reply.ts"
import { explainText } from "../redis/streamIds.ts"
import { redeliverAnswer } from "../scripts/deadLetterMoves.ts"
import { type PushTarget, target } from "../wire/answerTarget.ts"
import { type Address, addressIn, rerouteFor } from "../wire/outbound.ts"
import { NotDeliverable } from "./errors.ts"
import { type Letters, notFound, orUndefined } from "./letters.ts"
import type { make as makeLooking } from "./looking.ts"

const noLimits: DomainAction.Limits = { ...DomainAction.defaultLimits, maxBytes: Number.MAX_SAFE_INTEGER }

/** In an action stream, an error response would be a malformed entry. */
const kindOf = (answer: string): "action" | "response" =>
  Result.isSuccess(DomainAction.parse(answer, noLimits)) ? "action" : "response"

export const make = (letters: Letters, look: ReturnType<typeof makeLooking>["look"]) => {
  const { key, names, naming, redis, responseTimeToLive } = letters

  /** An answer for another slot goes there by way of a worker. */
  const reroute = rerouteFor(slotsOf(redis, key), names.outbound, () => {}) ?? identity

  const accepted = accepts(naming)

  const allowed = (address: Address, payload: string): PushTarget | undefined =>
    (address.kind === "stream" ? ["stream"] as const : ["response", "callback"] as const).some((kind) =>
        accepted(address.key, kind)
      )
      ? { ...address, payload }
      : undefined

  const answerOf = (data: string, answer: string): PushTarget | undefined => {
    // The action was decoded once, by a worker whose limits may have been others.
    const action = DomainAction.parse(data, noLimits)
    return Result.isSuccess(action)
      ? target(action.success, answer, { accepts: accepted, responseTimeToLive }, kindOf(answer))
      : undefined
  }

  const redeliver = Effect.fn("DeadLetter.redeliver")(function*(id: string) {
    const refuse = (message: string) => Effect.fail(new NotDeliverable({ id, message }))
    const { details: { answer, data }, notes } = yield* look(id)
    // The letter of an answer that a worker could not forward to another slot: it has an address, and no action.
    const noted = notes.get("address")
    const address = noted === undefined ? undefined : addressIn(noted)
    if (answer === undefined || data === undefined && address === undefined) {
      return yield* refuse(`The dead letter ${id} holds no answer: replay it to get one`)
    }
    const push = address !== undefined ? allowed(address, answer) : answerOf(data ?? "", answer)
    if (push === undefined) {
      return yield* refuse(
        "The naming does not accept the list that the message names for its answer. Correct the naming, or discard the letter"
      )
    }
    const routed = reroute(push)
    const [status, detail] = strings(
      yield* redis.eval(redeliverAnswer.script)({
        deadLetters: key,
        target: routed.key,
        kind: routed.kind,
        timeToLive: routed.timeToLive,
        atLeast: routed.atLeast,
        traceparent: routed.traceparent,
        id
      })
    )
    switch (status) {
      case "delivered":
        return { letter: orUndefined(detail) }
      case "missing":
        return yield* notFound(id)
      case "refused":
        return yield* refuse(explainText(push.key, detail ?? ""))
      default:
        return yield* refuse(`The dead letter ${id} holds no answer: replay it to get one`)
    }
  })

  return redeliver
}
