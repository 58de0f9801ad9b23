/** Builds a route from a handler: it decodes the payload, runs the handler in a scope, and encodes the result. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import type { Any } from "../../Action.ts"
import type { Delivery } from "../../Delivery.ts"
import type { DomainAction, ErrorDetail } from "../../DomainAction.ts"
import { isRejected } from "../../HandlerError.ts"
import type { JsonObject } from "../wire/json.ts"
import { faultOf, writtenAs } from "../wire/plainJson.ts"
import { rejectedDetail } from "../wire/rejectedDetail.ts"
import { type AnyCodec, codecOf, Configured } from "./codec.ts"

/**
 * How a worker runs one type of action, from the `data` of an envelope to the `data` or `error` of the answer.
 *
 * Synchronous schemas return an `Exit`. Run the effects in the fiber that ran `build` or in one of its children,
 * because they use its context.
 */
export interface Route {
  readonly actionType: string
  /** The contract, or `undefined` for a handler without one. */
  readonly action: Any | undefined
  /**
   * Decodes the argument of `handler`: the payload and configs of the contract, or the envelope if there is no
   * contract.
   */
  readonly decodePayload: (action: DomainAction) => Effect.Effect<unknown, Schema.SchemaError>
  /** Runs the handler in its own scope. If the handler throws, the effect dies. */
  readonly handler: (payload: unknown, delivery: Delivery) => Effect.Effect<unknown, unknown>
  /** Encodes the `data` of the answer. */
  readonly encodeSuccess: (
    success: unknown
  ) => Effect.Effect<{ readonly [key: string]: unknown } | null, Schema.SchemaError>
  /** Encodes the `error` of the answer, for a declared error or `Rejected`. */
  readonly encodeError: (error: unknown) => Effect.Effect<ErrorDetail, Schema.SchemaError>
}

export type AnyHandler = (payload: unknown, delivery: Delivery) => Effect.Effect<unknown, unknown, unknown>

// Resources that a handler opens are released with the delivery. A handler that ended synchronously has opened none.
const inOwnScope = (type: string, handler: AnyHandler | undefined): Route["handler"] => {
  if (typeof handler !== "function") {
    throw new TypeError(`The handler of "${type}" is not a function: expected a function that returns an effect`)
  }
  // SAFETY: `R` of the handlers is `R` of `build`, and the effect runs in the context of the fiber that ran `build`.
  return (payload, delivery) => {
    try {
      const effect = handler(payload, delivery)
      if (!Effect.isEffect(effect)) return noEffect(type, effect)
      return (Exit.isExit(effect) ? effect : Effect.scoped(effect)) as Effect.Effect<unknown, unknown>
    } catch (error) {
      return Effect.die(error)
    }
  }
}

/**
 * A handler in JavaScript, or behind a cast, may return anything. The message does not show the value, which may be the
 * payload.
 */
const noEffect = (type: string, returned: unknown): Effect.Effect<never> => {
  if (Predicate.hasProperty(returned, "then") && typeof returned.then === "function") {
    // An unhandled rejection would end the process.
    returned.then(undefined, () => {})
    return Effect.die(
      new TypeError(`The handler of "${type}" returned a promise, not an effect: wrap it with Effect.promise`)
    )
  }
  const found = returned === null || returned === undefined
    ? String(returned)
    : Array.isArray(returned)
    ? "an array"
    : `a value of type ${typeof returned}`
  return Effect.die(
    new TypeError(
      `The handler of "${type}" returned ${found}, not an effect: return an effect, such as Effect.void or Effect.succeed`
    )
  )
}

const withConfigs = (handler: Route["handler"]): Route["handler"] => (decoded, delivery) =>
  decoded instanceof Configured
    ? handler(decoded.payload, { ...delivery, ...decoded.configs })
    : handler(decoded, delivery)

export const contractRoute = (action: Any, handler: AnyHandler | undefined): Route => {
  // SAFETY: `R` of `build` includes the services of the schemas, and the codecs run in the context of its fiber.
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

/**
 * The JSON that `JSON.stringify` writes. Values on which it throws, such as a cycle, are left to the settlement, which
 * writes last.
 */
const encodeRaw: Route["encodeSuccess"] = (success) => {
  if (success === undefined || success === null) return nothing
  const written = writtenAs(success)
  // SAFETY, twice: here the value is not a JSON object, and writing it fails with that message; below, only JSON
  // objects are left.
  if (Result.isFailure(written)) return Effect.succeed(success as JsonObject)
  const fault = faultOf(written.success)
  return fault === undefined
    ? Effect.succeed(written.success.value as JsonObject)
    : Effect.fail(new Schema.SchemaError(new SchemaIssue.InvalidValue({ message: `The result ${fault}` })))
}

export const rawRoute = (type: string, handler: AnyHandler): Route => ({
  actionType: type,
  action: undefined,
  decodePayload: Effect.succeed,
  handler: inOwnScope(type, handler),
  encodeSuccess: encodeRaw,
  encodeError: (error) =>
    isRejected(error)
      ? Effect.succeed(rejectedDetail(error))
      : Effect.die(new TypeError(`The handler of "${type}" has no contract that declares an error`))
})
