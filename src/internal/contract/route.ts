/**
 * How a handler becomes a route: decoding before it, encoding after it, and a scope around it.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type { Any } from "../../Action.ts"
import type { Route } from "../../ActionGroup.ts"
import type { Delivery } from "../../Delivery.ts"
import { isRejected, rejectedDetail } from "../../HandlerError.ts"
import { type AnyCodec, codecOf, Configured } from "./codec.ts"

export type AnyHandler = (payload: unknown, delivery: Delivery) => Effect.Effect<unknown, unknown, unknown>

// What a handler opens ends with the delivery. A handler that is done at once has opened nothing.
const inOwnScope = (type: string, handler: AnyHandler | undefined): Route["handler"] => {
  if (typeof handler !== "function") throw new TypeError(`The handler of "${type}" is no function`)
  // SAFETY: `R` of the handlers is `R` of `build`, and the effect runs in the context of the fiber that ran `build`.
  return (payload, delivery) => {
    try {
      const effect = handler(payload, delivery)
      return (Exit.isExit(effect) ? effect : Effect.scoped(effect)) as Effect.Effect<unknown, unknown>
    } catch (error) {
      return Effect.die(error)
    }
  }
}

const withConfigs = (handler: Route["handler"]): Route["handler"] => (decoded, delivery) =>
  decoded instanceof Configured
    ? handler(decoded.payload, { ...delivery, ...decoded.configs })
    : handler(decoded, delivery)

export const contractRoute = (action: Any, handler: AnyHandler | undefined): Route => {
  // SAFETY: `R` of `build` holds the services of the schemas, and the codecs run in the context of its fiber.
  const codec = codecOf(action) as AnyCodec<never>
  return {
    actionType: action.type,
    action,
    decodePayload: codec.decodeAction,
    handler: codec.hasConfigs ? withConfigs(inOwnScope(action.type, handler)) : inOwnScope(action.type, handler),
    encodeSuccess: codec.encodeSuccess,
    encodeError: (error) => isRejected(error) ? Effect.succeed(rejectedDetail(error)) : codec.encodeError(error)
  }
}

const nothing = Effect.succeed({})

const encodeRecord = Schema.decodeUnknownEffect(Schema.Record(Schema.String, Schema.Unknown))

const encodeRaw: Route["encodeSuccess"] = (success) =>
  success === undefined || success === null ? nothing : encodeRecord(success)

export const rawRoute = (type: string, handler: AnyHandler): Route => ({
  actionType: type,
  action: undefined,
  decodePayload: Effect.succeed,
  handler: inOwnScope(type, handler),
  encodeSuccess: encodeRaw,
  encodeError: (error) =>
    isRejected(error) ? Effect.succeed(rejectedDetail(error)) : Effect.die(new TypeError(`${type} declares no error`))
})
