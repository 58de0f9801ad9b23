/**
 * Schemas of JSON whose integers are exact, and which of the refused values are such integers. Exported by `Action`.
 */
import * as Schema from "effect/Schema"
import type * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as Json from "../wire/json.ts"

/** What the canonical JSON codec leaves as it is. */
const asItIs = { toCodecJson: () => undefined }

const JsonInteger = Schema.declare(
  (u): u is number | bigint => typeof u === "bigint" || Number.isSafeInteger(u),
  { ...asItIs, expected: "an integer, as a JSON number" }
)

/** As `Action` documents it. */
export const BigInt: Schema.Codec<bigint, number | bigint> = JsonInteger.pipe(
  Schema.decodeTo(
    Schema.BigInt,
    SchemaTransformation.transform({
      decode: (integer: number | bigint) => globalThis.BigInt(integer),
      encode: (integer: bigint): number | bigint => integer
    })
  )
)

/** As `Action` documents it. */
export const Unknown: Schema.Codec<unknown> = Schema.declare((u): u is unknown => Json.isJson(u, Json.deepest, false), {
  ...asItIs,
  expected: "JSON value"
})

/** As `Action` documents it. */
export const closed = <const Fields extends Schema.Struct.Fields>(
  fields: Fields
): Schema.Codec<
  Schema.Struct<Fields>["Type"],
  { readonly [key: string]: unknown },
  Schema.Struct<Fields>["DecodingServices"],
  Schema.Struct<Fields>["EncodingServices"]
> => {
  const names = new Set(Object.keys(fields))
  const Keys = Schema.Record(Schema.String, Schema.Any).check(Schema.makeFilter((record) => {
    const unexpected = Object.keys(record).find((key) => !names.has(key))
    return unexpected === undefined ? undefined : { path: [unexpected], issue: "Unexpected key" }
  }))
  const struct = Schema.toCodecJson(Schema.Struct(fields))
  // SAFETY: the record is what the struct encodes to, looked at before the struct sees it.
  return Keys.pipe(
    Schema.decodeTo(struct as unknown as Schema.Codec<never, { readonly [key: string]: unknown }>)
  ) as never
}

// -----------------------------------------------------------------------------
// refusals
// -----------------------------------------------------------------------------

/** What a handler returns may refer to itself. */
const holdsBigInt = (u: unknown, seen = new Set<object>()): boolean => {
  if (typeof u !== "object" || u === null) return typeof u === "bigint"
  if (seen.has(u)) return false
  seen.add(u)
  return Object.values(u).some((value) => holdsBigInt(value, seen))
}

// The issue itself must not show what was refused. It is looked up by who words it, and is gone with it.
const refused = new WeakMap<SchemaIssue.Issue, unknown>()

/** Keeps what was refused where a `bigint` may be the reason. */
export const noteRefused = (issue: SchemaIssue.Issue, data: unknown): void => {
  if (holdsBigInt(data)) refused.set(issue, data)
}

const noType = "Expected JSON value"

/** What a message about one place of what was refused should add; nothing where there is no such integer. */
export const hintFor = (issue: SchemaIssue.Issue, path: ReadonlyArray<PropertyKey>, message: string): string => {
  let value = refused.get(issue)
  for (const key of path) {
    // SAFETY: a key of an object that has it; what it holds stays unknown.
    value = typeof value === "object" && value !== null && Object.hasOwn(value, key)
      ? (value as Readonly<Record<PropertyKey, unknown>>)[key]
      : undefined
  }
  if (message === noType) {
    return holdsBigInt(value) ? ", found a bigint in it (an integer beyond 2^53): declare it as Action.Unknown" : ""
  }
  return typeof value === "bigint" ? ", found a bigint (an integer beyond 2^53): declare it as Action.BigInt" : ""
}
