/**
 * Warns about a worker that listens in another environment than its senders. Neither side would ever report an error.
 *
 * The Python services default to the environment `development`, this library to `dev`. The check guesses names and
 * looks them up with `EXISTS`. It does not use `SCAN`, because ACLs cannot restrict that to keys.
 */
import * as Effect from "effect/Effect"
import type { Redis } from "../../Redis.ts"
import type { Names } from "../redis/names.ts"
import { groupIn } from "../redis/reply.ts"

/** The usual names of environments. */
const environments = ["dev", "development", "staging", "prod", "production", "local"]

/** The same service's stream in another environment. */
interface Sibling {
  readonly environment: string
  readonly stream: string
}

/** Empty for a custom naming, whose names in other environments are unknown. */
export const siblings = ({ service, stream }: Pick<Names, "service" | "stream">): ReadonlyArray<Sibling> => {
  // With hash tags, the names are the same in braces.
  const tail = stream.startsWith("{") ? `:${service}}:streams:main` : `:${service}:streams:main`
  const root = stream.endsWith(tail) ? stream.slice(0, -tail.length) : ""
  // A prefix may contain colons, an environment may not.
  const colon = root.lastIndexOf(":")
  if (colon < 1) return []
  const own = root.slice(colon + 1)
  return environments
    .filter((environment) => environment !== own)
    .map((environment) => ({ environment, stream: `${root.slice(0, colon)}:${environment}${tail}` }))
}

/** The text of the warning; `undefined` if there is no sibling. */
export const warning = (stream: string, found: ReadonlyArray<Sibling>): string | undefined => {
  const [first] = found
  return first === undefined ? undefined : (
    `No action has ever come to ${stream}, but ${found.map((sibling) => sibling.stream).join(" and ")} ` +
    `${found.length === 1 ? "exists" : "exist"}. Senders and workers need the same environment: ` +
    `if your senders write there, set ENVIRONMENT=${first.environment}`
  )
}

/** Whether the group never received an entry, and no entry waits. */
const isNew = Effect.fnUntraced(function*(redis: Redis["Service"], names: Names) {
  const groups = yield* redis.send("XINFO", "GROUPS", names.stream)
  const own = groupIn(groups, names.group)
  return own?.get("last-delivered-id") === "0-0" && Number(yield* redis.send("XLEN", names.stream)) === 0
})

export const check = Effect.fnUntraced(function*(redis: Redis["Service"], names: Names) {
  const candidates = siblings(names)
  if (candidates.length === 0 || !(yield* isNew(redis, names))) return
  const found = yield* Effect.filter(candidates, ({ stream }) =>
    redis.send("EXISTS", stream).pipe(
      Effect.map((count) => Number(count) === 1),
      // Without permission to ask, the worker skips the hint. Each call asks for one key, since one forbidden key fails
      // the call.
      Effect.catch(() => Effect.succeed(false))
    ), { concurrency: "unbounded" })
  const text = warning(names.stream, found)
  if (text !== undefined) yield* Effect.logWarning(text)
  // A hint only: the reader reports problems with the server.
}, (effect) => Effect.ignore(effect))
