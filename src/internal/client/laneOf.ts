/** The lane that a payload goes through, if its contract has one. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Action from "../../Action.ts"
import type { InvalidOption } from "../base/invalidOption.ts"
import { laneFor, type LaneRule, laneRule, makeRegistry, type NoLane } from "../contract/lane.ts"
import { EncodeError, InvalidAction, InvalidPayload } from "./errors.ts"

/** The lane of a payload, and the limits of its contract. */
export interface Laned {
  readonly lane: string
  readonly rule: string
  /** Whether only one action of the lane runs at once. */
  readonly isSingle: boolean
}

const toError = (type: string, fault: NoLane): EncodeError | InvalidOption =>
  fault._tag === "BadKey"
    ? fault.error
    : new EncodeError({ actionType: type, reason: new InvalidAction({ message: fault.message }) })

export const make = () => {
  const known = new WeakMap<Action.Any, LaneRule>()
  const contradiction = makeRegistry()

  const ruleOf = (action: Action.Any): LaneRule | undefined => {
    if (action.lane === undefined) return undefined
    const found = known.get(action) ?? laneRule(action)
    if (found !== undefined) known.set(action, found)
    return found
  }

  /** Fails if the key is invalid, or if another contract of this client limits the same lane differently. */
  const of = (
    action: Action.Any,
    payload: unknown,
    service: string
  ): Effect.Effect<Laned | undefined, EncodeError | InvalidOption, unknown> => {
    const rule = ruleOf(action)
    if (rule === undefined) return Effect.undefined
    const wrong = contradiction(service, action.type, rule)
    if (wrong !== undefined) return Effect.fail(wrong)
    // The handler's own form of the payload: defaults are filled in.
    return Effect.flatMapEager(
      Effect.mapErrorEager(
        // SAFETY: a payload that does not fit was refused before.
        action.payloadSchema.makeEffect(payload as never) as Effect.Effect<unknown, unknown, unknown>,
        () =>
          new EncodeError({
            actionType: action.type,
            reason: new InvalidPayload({ message: "The payload does not fit the contract" })
          })
      ),
      (made) => {
        const lane = laneFor(action.type, rule, made)
        return Result.isSuccess(lane)
          ? Effect.succeed({ lane: lane.success, rule: rule.rule, isSingle: rule.concurrency === 1 })
          : Effect.fail(toError(action.type, lane.failure))
      }
    )
  }

  return { of }
}

export type LaneOf = ReturnType<typeof make>
