/** The `error` of the response to an action with an invalid payload. */
import type * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"
import type { StandardSchemaV1 } from "effect/StandardSchema"
import type { ErrorDetail } from "../../DomainAction.ts"
import { bounded } from "../wire/errorText.ts"
import { hintFor } from "./exact.ts"

/** The maximum number of issues in an answer. */
const maxIssues = 20

// The JSON codec of a number says that it also takes these three. That is true, but does not help the sender.
const notFinite = /( \| )?"Infinity" \| "-Infinity" \| "NaN"/

const toKey = (key: PropertyKey | StandardSchemaV1.PathSegment): PropertyKey => typeof key === "object" ? key.key : key

const toPathKey = (key: PropertyKey | StandardSchemaV1.PathSegment): string | number => {
  const name = toKey(key)
  return typeof name === "number" ? name : bounded(String(name))
}

const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1()

/**
 * The path of the first issue, with `*` for each key that the schema does not name: keys of records are payload data.
 */
const declaredPath = (issue: SchemaIssue.Issue): ReadonlyArray<string | number> => {
  const path: Array<string | number> = []
  // The node whose keys the next pointer names.
  let parent: SchemaAST.AST | undefined
  for (let next = issue;;) {
    switch (next._tag) {
      case "Pointer": {
        const [first, ...rest] = next.path
        if (first !== undefined) path.push(isDeclared(parent, first) ? toPathKey(first) : "*", ...rest.map(toPathKey))
        parent = undefined
        next = next.issue
        break
      }
      case "Composite":
        parent = next.ast
        next = next.issues[0]
        break
      case "AnyOf":
        if (next.issues[0] === undefined) return path
        next = next.issues[0]
        break
      case "Filter":
      case "Encoding":
        next = next.issue
        break
      default:
        return path
    }
  }
}

const isDeclared = (parent: SchemaAST.AST | undefined, key: PropertyKey): boolean =>
  parent === undefined || !SchemaAST.isObjects(parent) || parent.propertySignatures.some(({ name }) => name === key)

/**
 * Builds the `error` of the response to an action with an invalid payload.
 *
 * It has at most 20 issues with their paths, and none of the payload's values. The message is logged, so it replaces
 * the keys of records by `*`. The paths show those keys, because the sender needs them to find the issue.
 */
export const validationDetail = (error: Schema.SchemaError): ErrorDetail => {
  const { issues } = formatIssue(error.issue)
  const shown = issues.slice(0, maxIssues).map((issue) => {
    const path = issue.path ?? []
    const message = issue.message.replace(
      notFinite,
      (_, other: string | undefined) => other === undefined ? "number" : ""
    )
    return {
      path: path.map(toPathKey),
      message: bounded(message + hintFor(error.issue, path.map(toKey), message))
    }
  })
  const path = declaredPath(error.issue)
  return {
    error_type: "ValidationError",
    error_code: "VALIDATION_ERROR",
    message: shown[0] === undefined
      ? "The payload does not fit the contract"
      : bounded(`${path.length === 0 ? "payload" : path.join(".")}: ${shown[0].message}`),
    details: { issues: shown, total: issues.length }
  }
}
