/**
 * The audit: a stream for each service with about the last 10,000 verbs. A verb is written down before it is done, and
 * not done if that fails. Its outcome follows as a second entry that names the first.
 */
import * as Data from "effect/Data"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import type { QueueNamingShape } from "../../QueueNaming.ts"
import type { Redis, RedisError } from "../../Redis.ts"
import { auditStream } from "../redis/names.ts"
import type * as models from "./models.ts"

/** About how many entries a stream keeps. */
const kept = 10_000
/** How many entries a page reads of each service. */
const shown = 400

type Row = (typeof models.Audit.Type)[number]

/** A verb, before it is done. */
export interface Asked {
  readonly service: string
  readonly user: string
  readonly verb: string
  readonly subject: string
}

export class Written extends Data.Class<{ readonly stream: string; readonly id: string }> {}

const add = (redis: Redis["Service"], stream: string, fields: ReadonlyArray<string>) =>
  redis.send<string>("XADD", stream, "MAXLEN", "~", String(kept), "*", ...fields)

/** Writes down what a user asks for. */
export const asked = (
  redis: Redis["Service"],
  naming: QueueNamingShape,
  { service, subject, user, verb }: Asked
): Effect.Effect<Written, RedisError> => {
  const stream = auditStream(naming, service)
  return Effect.map(
    add(redis, stream, ["user", user, "verb", verb, "subject", subject.slice(0, 2_000)]),
    (id) => new Written({ stream, id })
  )
}

/** Writes down what became of it. */
export const ended = (
  redis: Redis["Service"],
  { id, stream }: Written,
  outcome: string
): Effect.Effect<void, RedisError> => Effect.asVoid(add(redis, stream, ["of", id, "outcome", outcome.slice(0, 500)]))

const fieldsOf = (pairs: ReadonlyArray<string>): Map<string, string> => {
  const fields = new Map<string, string>()
  for (let index = 0; index + 1 < pairs.length; index += 2) fields.set(pairs[index]!, pairs[index + 1]!)
  return fields
}

/** The newest verbs of a service, newest first. */
export const read = (
  redis: Redis["Service"],
  naming: QueueNamingShape,
  service: string
): Effect.Effect<ReadonlyArray<Row>, RedisError> =>
  Effect.map(
    redis.send<ReadonlyArray<readonly [string, ReadonlyArray<string>]>>(
      "XREVRANGE",
      auditStream(naming, service),
      "+",
      "-",
      "COUNT",
      String(shown)
    ),
    (entries) => {
      const outcomes = new Map<string, string>()
      const rows: Array<Row> = []
      for (const [id, pairs] of entries) {
        const fields = fieldsOf(pairs)
        const of = fields.get("of")
        if (of !== undefined) {
          outcomes.set(of, fields.get("outcome") ?? "")
        } else {
          rows.push({
            id,
            time: DateTime.makeUnsafe(Number(id.split("-")[0])),
            service,
            user: fields.get("user") ?? "",
            verb: fields.get("verb") ?? "",
            subject: fields.get("subject") ?? "",
            outcome: outcomes.get(id) ?? "not known: the process ended, or it is being done"
          })
        }
      }
      return rows
    }
  )
