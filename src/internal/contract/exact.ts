/** Schemas of JSON with exact integers, and hints about rejected integers. Exported by `Action`. */
import * as Schema from "effect/Schema"
import type * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as Json from "../wire/json.ts"

/** The canonical JSON codec leaves such values unchanged. */
const asItIs = { toCodecJson: () => undefined }

const JsonInteger = Schema.declare(
  (u): u is number | bigint => typeof u === "bigint" || Number.isSafeInteger(u),
  { ...asItIs, expected: "an integer, as a JSON number" }
)

/** See the documentation in `Action`. */
export const BigInt: Schema.Codec<bigint, number | bigint> = JsonInteger.pipe(
  Schema.decodeTo(
    Schema.BigInt,
    SchemaTransformation.transform({
      decode: (integer: number | bigint) => globalThis.BigInt(integer),
      encode: (integer: bigint): number | bigint => integer
    })
  )
)

/** See the documentation in `Action`. */
export const Unknown: Schema.Codec<unknown> = Schema.declare((u): u is unknown => Json.isJson(u, Json.deepest, false), {
  ...asItIs,
  expected: "JSON value"
})

/** See the documentation in `Action`. */
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
  // SAFETY: the record is the encoded form of the struct, checked before the struct decodes it.
  return Keys.pipe(
    Schema.decodeTo(struct as unknown as Schema.Codec<never, { readonly [key: string]: unknown }>)
  ) as never
}

// -----------------------------------------------------------------------------
// refusals
// -----------------------------------------------------------------------------

/** The result of a handler may refer to itself. */
const holdsBigInt = (u: unknown, seen = new Set<object>()): boolean => {
  if (typeof u !== "object" || u === null) return typeof u === "bigint"
  if (seen.has(u)) return false
  seen.add(u)
  return Object.values(u).some((value) => holdsBigInt(value, seen))
}

// The issue itself must not show the rejected value. The value is looked up when the message is built, and collected
// with the issue.
const refused = new WeakMap<SchemaIssue.Issue, unknown>()

/** Keeps the rejected value if a `bigint` may be the reason. */
export const noteRefused = (issue: SchemaIssue.Issue, data: unknown): void => {
  if (holdsBigInt(data)) refused.set(issue, data)
}

const noType = "Expected JSON value"

/** The hint to add to the message about one path of a rejected value; empty if there is no such integer. */
export const hintFor = (issue: SchemaIssue.Issue, path: ReadonlyArray<PropertyKey>, message: string): string => {
  let value = refused.get(issue)
  for (const key of path) {
    // SAFETY: the object has this key, and the type of its value stays unknown.
    value = typeof value === "object" && value !== null && Object.hasOwn(value, key)
      ? (value as Readonly<Record<PropertyKey, unknown>>)[key]
      : undefined
  }
  if (message === noType) {
    return holdsBigInt(value) ? ", found a bigint in it (an integer beyond 2^53): declare it as Action.Unknown" : ""
  }
  return typeof value === "bigint" ? ", found a bigint (an integer beyond 2^53): declare it as Action.BigInt" : ""
}
