/** Converts the values of a contract to JSON and back. Parsers are built once, when a contract is first used. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import type * as SchemaIssue from "effect/SchemaIssue"
import type { Any } from "../../Action.ts"
import type { ActionContext } from "../../ActionContext.ts"
import type { DomainAction, ErrorDetail } from "../../DomainAction.ts"
import { rejectedCode } from "../../HandlerError.ts"
import { bounded, messageOf, textAt } from "../wire/errorText.ts"
import { isJsonObject } from "../wire/json.ts"
import * as Configs from "./configs.ts"
import { noteRefused } from "./exact.ts"

/** The annotation of an error schema with the disposition of its errors. */
export const dispositionKey = "effect-redis-workers/disposition"

/** The JSON that a schema encodes to: `nullable` is an object or `null`, `other` may be anything. */
export type Shape = "object" | "nullable" | "void" | "other"

/** One declared error: a member of the union, or the whole error schema. */
export interface ErrorMember {
  /** The `_tag` on the wire. */
  readonly tag: string | undefined
  /** Its tag, or the identifier of its schema, or `Error`. */
  readonly label: string
  readonly disposition: "rejected" | "retryable"
  readonly is: (u: unknown) => boolean
}

type Coding<A, R = unknown> = Effect.Effect<A, Schema.SchemaError, R>

/** `Action.Codec` of any contract. */
export interface AnyCodec<R = unknown> {
  readonly decodePayload: (data: unknown) => Coding<unknown, R>
  readonly encodePayload: (payload: unknown) => Coding<Schema.JsonObject, R>
  readonly decodeSuccess: (data: unknown) => Coding<unknown, R>
  readonly encodeSuccess: (success: unknown) => Coding<Schema.JsonObject | null, R>
  readonly encodeError: (error: unknown) => Coding<ErrorDetail, R>
  readonly decodeError: (detail: ErrorDetail) => Effect.Effect<Option.Option<unknown>, never, R>
  readonly memberOf: (error: unknown) => ErrorMember | undefined
  readonly decodeConfigs: (action: Configs.OnWire) => Coding<Configs.ByName, R>
  readonly encodeConfigs: (
    configs: unknown,
    inForce?: Pick<ActionContext, Configs.ConfigName>
  ) => Coding<Configs.OnWire, R>
  /** Whether the contract has a schema for any of the configs. */
  readonly hasConfigs: boolean
  /** Decodes the argument of the handler: the payload, or {@link Configured} if the contract has configs. */
  readonly decodeAction: (action: DomainAction) => Coding<unknown, R>
}

/** A payload together with its configs. */
export class Configured {
  readonly payload: unknown
  readonly configs: Configs.ByName
  constructor(payload: unknown, configs: Configs.ByName) {
    this.payload = payload
    this.configs = configs
  }
}

const codecs = new WeakMap<Any, AnyCodec>()

export const codecOf = (action: Any): AnyCodec => {
  let codec = codecs.get(action)
  if (codec === undefined) {
    codec = make(action)
    codecs.set(action, codec)
  }
  return codec
}

// -----------------------------------------------------------------------------
// Shapes
// -----------------------------------------------------------------------------

const encodedAst = (schema: Schema.Top): SchemaAST.AST => SchemaAST.toEncoded(Schema.toCodecJson(schema).ast)

const shapeOfAst = (ast: SchemaAST.AST, openings: number): Shape => {
  switch (ast._tag) {
    case "Objects":
      return "object"
    case "Suspend":
      return openings === 0 ? "object" : shapeOfAst(ast.thunk(), openings - 1)
    case "Null":
      return "void"
    case "Union": {
      const shapes = ast.types.map((type) => shapeOfAst(type, openings))
      if (shapes.every((shape) => shape === "object")) return "object"
      return shapes.includes("other") ? "other" : "nullable"
    }
    default:
      return "other"
  }
}

/**
 * A suspended schema counts as an object unless it may be opened, because while contracts are made it may refer to a
 * schema that is not defined yet. `openings` limits how many nested ones are opened.
 */
export const shapeOf = (schema: Schema.Top, openings = 0): Shape => shapeOfAst(encodedAst(schema), openings)

/** The number of nested suspended schemas after which one counts as an object. */
const maxOpenings = 8

// -----------------------------------------------------------------------------
// Payload and success
// -----------------------------------------------------------------------------

/** The number of values above which a rejected payload is not decoded again to find its other issues. */
const maxValues = 2_000

const countValues = (u: unknown, limit: number): number => {
  let count = 1
  if (typeof u !== "object" || u === null) return count
  for (const value of Array.isArray(u) ? u : Object.values(u)) {
    count += countValues(value, limit - count)
    if (count > limit) return count
  }
  return count
}

/** Lets the message of a rejection distinguish an integer beyond 2^53 from a value of another type. */
const noting = <A>(coding: Coding<A>, data: unknown): Coding<A> =>
  Exit.isExit(coding) && Exit.isSuccess(coding) ? coding : Effect.mapErrorEager(coding, (error) => {
    noteRefused(error.issue, data)
    return error
  })

// The first issue ends the decoding, because all issues of a hostile payload could fill the memory. A rejected payload
// of a sensible size is decoded once more for all of its issues, to help its sender.
const decoder = (schema: Schema.Top) => {
  const codec = Schema.toCodecJson(schema)
  const decode = Schema.decodeUnknownEffect(codec)
  return (data: unknown): Coding<unknown> => {
    const result = decode(data)
    return Exit.isExit(result) && Exit.isSuccess(result) ? result : Effect.catchEager(
      result,
      (error) =>
        noting(countValues(data, maxValues) <= maxValues ? decode(data, { errors: "all" }) : Effect.fail(error), data)
    )
  }
}

const payloadEncoder = (schema: Schema.Top) => {
  const encode = Schema.encodeUnknownEffect(Schema.toCodecJson(schema))
  const toSchemaError = (issue: SchemaIssue.Issue) => new Schema.SchemaError(issue)
  // SAFETY: `Action.make` rejects a payload that does not encode to an object.
  return (payload: unknown) =>
    noting(
      Effect.flatMapEager(Effect.mapErrorEager(schema.makeEffect(payload), toSchemaError), encode) as Coding<
        Schema.JsonObject
      >,
      payload
    )
}

const nothing = {}

const successEncoder = (schema: Schema.Top, shape: Shape) => {
  const encode = Schema.encodeUnknownEffect(Schema.toCodecJson(schema))
  switch (shape) {
    case "other":
      return (success: unknown): Coding<Schema.JsonObject> =>
        Effect.mapEager(noting(encode(success), success), (value) => ({ value }))
    case "void":
      // As Python workers answer: their clients take null for a failure.
      return (success: unknown): Coding<Schema.JsonObject> => Effect.mapEager(encode(success), () => nothing)
    default:
      // SAFETY: the other shapes are an object, or an object or `null`.
      return (success: unknown) => noting(encode(success) as Coding<Schema.JsonObject | null>, success)
  }
}

/** Answers without a result: Python workers write `{}`, older versions of this library `null`. */
const otherNothing = (data: unknown): {} | null | undefined =>
  data === null ? nothing : isJsonObject(data) && Object.keys(data).length === 0 ? null : undefined

type Decode = (data: unknown) => Coding<unknown>

/** Decodes `{}` as `null` and the reverse if the schema accepts only one of them. */
const withEitherNothing = (decode: Decode): Decode => (data) => {
  const result = decode(data)
  if (Exit.isExit(result) && Exit.isSuccess(result)) return result
  const other = otherNothing(data)
  return other === undefined
    ? result
    : Effect.catchEager(result, (error) => Effect.mapErrorEager(decode(other), () => error))
}

const successDecoder = (schema: Schema.Top, shape: Shape) => {
  const decode = Schema.decodeUnknownEffect(Schema.toCodecJson(schema))
  switch (shape) {
    case "void": {
      // An action without a success value accepts any answer.
      const nothing = decode(null)
      return (_data: unknown): Coding<unknown> => nothing
    }
    case "other":
      // This library always writes `value`, so an answer without it comes from elsewhere and is the success itself.
      return withEitherNothing((data) => {
        const value = isJsonObject(data) && Object.hasOwn(data, "value") ? data["value"] : data
        return noting(decode(value), value)
      })
    default:
      return withEitherNothing((data) => noting(decode(data), data))
  }
}

// -----------------------------------------------------------------------------
// Errors
// -----------------------------------------------------------------------------

const resolveDisposition = SchemaAST.resolveAt<"rejected" | "retryable">(dispositionKey)

const tagOf = (schema: Schema.Top): string | undefined => {
  const encoded = encodedAst(schema)
  if (!SchemaAST.isObjects(encoded)) return undefined
  const type = encoded.propertySignatures.find((signature) => signature.name === "_tag")?.type
  return type !== undefined && SchemaAST.isLiteral(type) && typeof type.literal === "string" ? type.literal : undefined
}

const membersOf = (
  ast: SchemaAST.AST,
  inherited: "rejected" | "retryable" = "rejected"
): ReadonlyArray<ErrorMember> => {
  if (SchemaAST.isNever(ast)) return []
  const disposition = resolveDisposition(ast) ?? inherited
  // A union with a transformation of its own is one error: its members are not the values on the wire.
  if (SchemaAST.isUnion(ast) && ast.encoding === undefined) {
    return ast.types.flatMap((type) => membersOf(type, disposition))
  }
  const schema = Schema.make<Schema.Top>(ast)
  const tag = tagOf(schema)
  return [{
    tag,
    label: tag ?? SchemaAST.resolveIdentifier(ast) ?? "Error",
    disposition,
    is: Schema.is(schema)
  }]
}

const textFor = (error: unknown, label: string): string =>
  typeof error === "string" ? bounded(error) : textAt(error, "message") ?? label

// A union that does not fit fails in an effect although nothing in it waits. Settling needs an exit, so the effect is
// run here. An effect that waits or needs a service dies of that, and is returned unchanged. Any other defect is the
// encoder's.
const settled = <A, R>(effect: Coding<A, R>): Coding<A, R> => {
  if (Exit.isExit(effect)) return effect
  // SAFETY: a missing service is a defect of the exit, which is then not used.
  const exit = Effect.runSyncExit(effect as Coding<A, never>)
  return Exit.isFailure(exit) && exit.cause.reasons.some(wantsMore) ? effect : exit
}

const wantsMore = (reason: Cause.Reason<unknown>): boolean =>
  Cause.isDieReason(reason) && (Cause.isAsyncFiberError(reason.defect) ||
    // Effect has no class for this error.
    messageOf(reason.defect)?.startsWith("Service not found") === true)

const noError = Effect.succeed(Option.none())

const errorCodec = (action: Any): Pick<AnyCodec, "memberOf" | "encodeError" | "decodeError"> => {
  const members = membersOf(action.errorSchema.ast)
  const codec = Schema.toCodecJson(action.errorSchema)
  const encode = Schema.encodeUnknownEffect(codec)
  const decode = Schema.decodeUnknownEffect(codec)

  // A declared tag alone decides, so a broken error of that kind still counts as that kind.
  const memberOf = (error: unknown): ErrorMember | undefined => {
    const tag = Predicate.hasProperty(error, "_tag") ? error._tag : undefined
    return members.find((member) => member.is(error)) ??
      (tag === undefined ? undefined : members.find((member) => member.tag === tag))
  }

  return {
    memberOf,
    encodeError: (error) =>
      Effect.mapEager(settled(encode(error)), (encoded): ErrorDetail => {
        const label = memberOf(error)?.label ?? "Error"
        return {
          error_type: label,
          error_code: rejectedCode,
          message: textFor(error, label),
          details: isJsonObject(encoded) ? encoded : { value: encoded }
        }
      }),
    decodeError: (detail) => {
      const named = members.some((member) => member.tag !== undefined && member.tag === detail.error_type)
      // Another failure, such as a defect of the handler, could match an error without a tag by chance.
      if (!named && detail.error_code !== rejectedCode) return noError
      const details = detail.details ?? {}
      const candidates = named
        ? [{ ...details, _tag: detail.error_type }]
        : Object.hasOwn(details, "value")
        ? [details, details["value"]]
        : [details]
      return Effect.option(Effect.firstSuccessOf(candidates.map((candidate) => decode(candidate))))
    }
  }
}

const noConfigs = {}

const make = (action: Any): AnyCodec => {
  const successShape = shapeOf(action.successSchema, maxOpenings)
  const decodePayload = decoder(action.payloadSchema)
  const configs = Configs.make(action.configSchema.fields, {
    decoder,
    encoder: payloadEncoder,
    takesNull: (schema) => shapeOf(schema, maxOpenings) === "nullable"
  })
  return {
    hasConfigs: configs !== undefined,
    decodeConfigs: configs?.decode ?? (() => Effect.succeed(noConfigs)),
    // SAFETY: the contract determines the types of the options, and the envelope is checked before it is sent.
    encodeConfigs: (given, inForce = noConfigs) =>
      configs === undefined
        ? Effect.succeed(Configs.merged(given as Pick<ActionContext, Configs.ConfigName>, inForce))
        : configs.encode(given as Configs.ByName, inForce),
    decodeAction: configs === undefined
      ? ({ data }) => decodePayload(data)
      : (envelope) =>
        Effect.flatMapEager(
          configs.decode(envelope),
          (decoded) => Effect.mapEager(decodePayload(envelope.data), (payload) => new Configured(payload, decoded))
        ),
    decodePayload,
    encodePayload: payloadEncoder(action.payloadSchema),
    decodeSuccess: successDecoder(action.successSchema, successShape),
    encodeSuccess: successEncoder(action.successSchema, successShape),
    ...errorCodec(action)
  }
}
