/**
 * Ids of actions. On the wire an id is a UUID. A program may use any short text, such as the number of an order: the
 * same text of the same action type is always the same UUID.
 *
 * @since 0.2.0
 */
import * as Result from "effect/Result"
import { InvalidOption } from "./internal/base/invalidOption.ts"
import { uuidOf } from "./internal/base/uuid.ts"
import { isId } from "./internal/wire/fields.ts"

/** The namespace of all action types, chosen at random once. */
const types = "5f0e7c1a-3d0b-4c57-9b0e-8f1f5c3a9d21"

/** At most 200 characters, without control characters, line separators and halves of a pair. */
const printable = /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]{1,200}$/u

const found = (text: unknown): string => {
  if (typeof text !== "string") return text === null ? "null" : `a value of type ${typeof text}`
  return text.length > 80 ? `${JSON.stringify(text.slice(0, 80))}… (${text.length} characters)` : JSON.stringify(text)
}

/**
 * Returns the id of an action from a text: a UUID stays itself, in lower case, and any other text of 1 to 200 printable
 * characters becomes a UUID of version 5 whose namespace is derived from the action type.
 *
 * The options `actionId` and `actionIds` of a client do the same.
 *
 * **Example** (The id of the action for an order)
 *
 * ```ts
 * import { ActionId } from "effect-redis-workers"
 *
 * const id = ActionId.from("payment.charge", "order 1042")
 * ```
 *
 * @since 0.2.0
 * @category constructors
 */
export const from = (actionType: string, text: string): Result.Result<string, InvalidOption> => {
  if (isId(text)) return Result.succeed(text.toLowerCase())
  return typeof text === "string" && printable.test(text)
    ? Result.succeed(uuidOf(uuidOf(types, actionType), text))
    : Result.fail(
      new InvalidOption({
        option: "actionId",
        found: found(text),
        expected: "a UUID, or any other text of 1 to 200 printable characters"
      })
    )
}

/**
 * Returns the id of an action that another action causes: the same parent and name always give the same id.
 *
 * **When to use**
 *
 * In a handler that sends actions. When the handler runs again, it sends them with the same ids, so that their handlers
 * can recognize them.
 *
 * **Example** (A handler whose repetition sends the same action)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Action, ActionClient, ActionGroup, ActionId, RetryLater } from "effect-redis-workers"
 *
 * const Charge = Action.make("payment.charge", { payload: { cents: Schema.Int } })
 * const PlaceOrder = Action.make("order.place", { payload: { cents: Schema.Int } })
 *
 * const handlers = ActionGroup.make(PlaceOrder).handlers({
 *   "order.place": ({ cents }, { action }) =>
 *     ActionClient.send(Charge, { cents }, { actionId: ActionId.derive(action.action_id, "charge") }).pipe(
 *       Effect.mapError((cause) => new RetryLater({ cause }))
 *     )
 * })
 * ```
 *
 * @since 0.2.0
 * @category constructors
 */
export const derive = (parent: string, name: string): string =>
  isId(parent) ? uuidOf(parent.toLowerCase(), name) : uuidOf(uuidOf(types, ""), JSON.stringify([parent, name]))
