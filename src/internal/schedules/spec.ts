/** The specification of a schedule, as it is kept in Redis: what to send, and when. */
import * as Result from "effect/Result"
import { createHash } from "node:crypto"
import * as Integers from "../wire/integers.ts"
import { parse, type Recurrence, type Rule } from "./recurrence.ts"

export interface Spec {
  readonly actionType: string
  /** The payload, encoded. */
  readonly data: { readonly [key: string]: unknown }
  readonly rule: Rule
  readonly missed: "skip" | "latest" | { readonly all: number }
  readonly overlap: "allow" | "skip" | "queue-one"
  /** Milliseconds by which a slot may be delayed, so that not all schedules fire at once. */
  readonly jitter: number
  readonly from: number | undefined
  readonly until: number | undefined
}

/** A schedule of a program. */
export interface Declared {
  readonly name: string
  readonly version: string
  readonly spec: Spec
}

/** `runtime`: made by a program at run time. `orphaned`: no worker declares it any more. */
export type Origin = "declared" | "runtime" | "orphaned"

/** A specification in Redis. */
export interface Stored {
  readonly version: string
  readonly origin: Origin
  /** When a worker last declared it, by the server's clock in milliseconds. */
  readonly renewed: number
  readonly spec: Spec
}

/** What happened to a schedule, and what comes next. */
export interface State {
  /** The next slot, in milliseconds; `undefined` if there is none. */
  readonly slot: number | undefined
  readonly paused: string | undefined
  /** The last slot that fired. */
  readonly last: number | undefined
  readonly fired: number
  readonly skipped: number
}

export const fresh: State = { slot: undefined, paused: undefined, last: undefined, fired: 0, skipped: 0 }

/** The lane of a schedule whose actions may not run beside each other, and its rule; `undefined` if they may. */
export const laneOf = (
  name: string,
  { overlap }: Spec
): { readonly lane: string; readonly rule: string } | undefined =>
  // A specification of another version may have a word that this one does not know.
  overlap === "skip"
    ? { lane: `n:schedules.skip\0${name}`, rule: "1 - - drop continue - - -" }
    : overlap === "queue-one"
    ? { lane: `n:schedules.queue-one\0${name}`, rule: "1 - - latest continue - - -" }
    : undefined

/** The payload may hold integers beyond 2^53. */
const textOf = (spec: Spec): string => Integers.write(spec)

/** Two specifications with the same version fire the same actions at the same times. */
export const versionOf = (spec: Spec): string => createHash("sha1").update(textOf(spec)).digest("hex").slice(0, 16)

/** Version, origin and time come first, where scripts read them. */
export const encodeStored = ({ origin, renewed, spec, version }: Stored): string =>
  `${version} ${origin} ${renewed}\n${textOf(spec)}`

export const encodeState = (state: State): string => `${state.slot ?? "-"}\n${JSON.stringify(state)}`

const isOrigin = (text: string | undefined): text is Origin =>
  text === "declared" || text === "runtime" || text === "orphaned"

const parseJson = (text: string): Result.Result<unknown, unknown> => Result.try(() => Integers.parse(text))

/** `undefined` for a text that no version of this library wrote. */
export const decodeStored = (text: string): Stored | undefined => {
  const end = text.indexOf("\n")
  const [version, origin, renewed] = text.slice(0, end).split(" ")
  const json = parseJson(text.slice(end + 1))
  if (version === undefined || !isOrigin(origin) || Result.isFailure(json)) return undefined
  // SAFETY: the library writes specifications, and only users with its rights may write to the key.
  return { version, origin, renewed: Number(renewed), spec: json.success as Spec }
}

export const decodeState = (text: string): State => {
  const json = parseJson(text.slice(text.indexOf("\n") + 1))
  // SAFETY: as for specifications.
  return Result.isSuccess(json) ? { ...fresh, ...json.success as Partial<State> } : fresh
}

/** The recurrence of a specification within its bounds. */
export const recurrenceOf = ({ from, rule, until }: Spec): Result.Result<Recurrence, string> =>
  Result.map(parse(rule), (recurrence): Recurrence => {
    const first = from ?? Number.NEGATIVE_INFINITY
    const last = until ?? Number.POSITIVE_INFINITY
    const within = (slot: number | undefined) => slot !== undefined && slot >= first && slot <= last ? slot : undefined
    return {
      next: (after) => within(recurrence.next(Math.max(after, first - 1))),
      lastUntil: (time) => within(recurrence.lastUntil(Math.min(time, last)))
    }
  })
