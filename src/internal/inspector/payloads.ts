/**
 * What an entry shows of its action: ids and type always, the payload on request.
 *
 * Fields with `Schema.Redacted` never leave here. If a contract has some, a payload is shown as the contract decodes it,
 * and not at all when it does not fit.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import type * as Action from "../../Action.ts"
import * as DomainAction from "../../DomainAction.ts"
import type * as Inspector from "../../Inspector.ts"
import { codecOf } from "../contract/codec.ts"
import { validationDetail } from "../contract/validationDetail.ts"
import { stringAt } from "../wire/scan.ts"

/** Bytes of a payload that are shown, and of one that only ids are looked for in. */
export const shownBytes = 64 * 1024
export const headBytes = 4 * 1024

/** Longer than any id or type that a worker accepts. */
const maxText = 200

const idIn = (text: string, key: string): string | undefined => {
  const found = stringAt(text, key)
  return found === undefined || found === "" || found.length > maxText ? undefined : found
}

/** Ids and type of an action, from the beginning of its text. */
export const headOf = (text: string) => ({
  actionId: idIn(text, "action_id"),
  actionType: idIn(text, "action_type"),
  correlationId: idIn(text, "correlation_id"),
  traceId: idIn(text, "trace_id")
})

// -----------------------------------------------------------------------------
// hidden fields
// -----------------------------------------------------------------------------

const isRedactedSchema = (ast: SchemaAST.AST): boolean => {
  const { representation } = ast.annotations ?? {}
  return typeof representation === "object" && representation !== null && "id" in representation &&
    representation.id === "effect/schema/Redacted"
}

const hidesIn = (ast: SchemaAST.AST, seen: Set<SchemaAST.AST>): boolean => {
  if (seen.has(ast)) return false
  seen.add(ast)
  if (isRedactedSchema(ast)) return true
  const inner = (next: SchemaAST.AST): boolean => hidesIn(next, seen)
  if (ast.encoding?.some(({ to }) => inner(to)) === true) return true
  switch (ast._tag) {
    case "Declaration":
      return ast.typeParameters.some(inner)
    case "Objects":
      return ast.propertySignatures.some(({ type }) => inner(type)) ||
        ast.indexSignatures.some(({ type }) => inner(type))
    case "Arrays":
      return ast.elements.some(inner) || ast.rest.some(inner)
    case "Union":
      return ast.types.some(inner)
    case "Suspend":
      return inner(ast.thunk())
    default:
      return false
  }
}

const hiding = new WeakMap<Schema.Top, boolean>()

/** Whether a schema hides any field. */
export const hides = (schema: Schema.Top): boolean => {
  let answer = hiding.get(schema)
  if (answer === undefined) {
    answer = hidesIn(schema.ast, new Set())
    hiding.set(schema, answer)
  }
  return answer
}

const hidden = "<redacted>"

/** JSON of a decoded value. Labels of hidden values are not shown either. */
const visible = (value: unknown): string =>
  JSON.stringify(value, function(this: unknown, key, shown: unknown) {
    // SAFETY: the value before its `toJSON` is what the holder has under the key.
    const original = (this as { readonly [key: string]: unknown })[key]
    if (Redacted.isRedacted(original)) return hidden
    return typeof shown === "bigint" ? String(shown) : shown
  }) ?? "null"

// -----------------------------------------------------------------------------
// payloads
// -----------------------------------------------------------------------------

export interface Shown {
  readonly payload: Inspector.Payload | undefined
  readonly verdict: Inspector.Verdict | undefined
}

export const nothing: Shown = { payload: undefined, verdict: undefined }

const cut = (text: string, truncated: boolean, redacted: boolean): Inspector.Payload => ({
  text: text.length > shownBytes ? text.slice(0, shownBytes) : text,
  truncated: truncated || text.length > shownBytes,
  redacted,
  withheld: undefined
})

const withheld = (reason: string): Inspector.Payload => ({
  text: "",
  truncated: false,
  redacted: true,
  withheld: reason
})

/** The payload in the text of an action, of which only the beginning may be known. */
export const shownOf = Effect.fnUntraced(function*(
  contracts: ReadonlyMap<string, Action.Any>,
  services: Context.Context<never>,
  data: string,
  isWhole: boolean
): Effect.fn.Return<Shown> {
  const raw = cut(data, !isWhole, false)
  const { actionType } = headOf(data)
  const contract = actionType === undefined ? undefined : contracts.get(actionType)
  if (contract === undefined) {
    // If the type cannot be read, it is unknown what has to be hidden.
    const isUnsure = actionType === undefined && [...contracts.values()].some(hidesAny)
    return { payload: isUnsure ? withheld("its type cannot be read") : raw, verdict: undefined }
  }
  const isHiding = hidesAny(contract)
  if (!isWhole) return { payload: isHiding ? withheld("it is too large to be decoded here") : raw, verdict: undefined }
  const action = DomainAction.parse(data, { ...DomainAction.defaultLimits, maxBytes: Number.MAX_SAFE_INTEGER })
  if (Result.isFailure(action)) {
    const verdict = { fits: false, issue: action.failure.text }
    return { payload: isHiding ? withheld("it is not an action") : raw, verdict }
  }
  const decoding = Effect.provideContext(codecOf(contract).decodeAction(action.success), services)
  // SAFETY: the layer demands the services of the contracts, and the context has them.
  const exit = yield* Effect.exit(decoding as Effect.Effect<unknown, Schema.SchemaError>)
  if (Exit.isSuccess(exit)) {
    return {
      payload: isHiding ? cut(visible(exit.value), false, true) : raw,
      verdict: { fits: true, issue: undefined }
    }
  }
  const error = exit.cause.reasons.find(Cause.isFailReason)?.error
  const issue = error === undefined ? "The contract's codec failed" : validationDetail(error).message
  return {
    payload: isHiding ? withheld("it does not fit its contract, which hides fields") : raw,
    verdict: { fits: false, issue }
  }
})

const hidesAny = (contract: Action.Any): boolean => hides(contract.payloadSchema) || hides(contract.configSchema)
