/** A decision travels from a run to the settler: an entry together with its settlement. */
import type * as Tracer from "effect/Tracer"
import type { DomainAction } from "../../DomainAction.ts"
import type { Settlement } from "../../Settlement.ts"
import type { Entry } from "../wire/entry.ts"

/** An entry together with its settlement. A class instead of a literal, see `entry.ts`. */
export class Decision {
  readonly entry: Entry
  /** `undefined` if the entry could not be decoded. */
  readonly action: DomainAction | undefined
  readonly attempt: number
  readonly settlement: Settlement
  /** The span of the run, if there is a tracer. */
  readonly span: Tracer.Span | undefined
  /** The error of the handler, for the log and the dead letter. */
  readonly cause: unknown
  /** How many attempts the action has, for the log. */
  readonly maxAttempts?: number | undefined
  /** The bucket of the time that its handler took, a small integer; `undefined` if none ran. See `base/histogram.ts`. */
  readonly took?: number | undefined
  constructor(
    entry: Entry,
    action: DomainAction | undefined,
    attempt: number,
    settlement: Settlement,
    span: Tracer.Span | undefined,
    cause: unknown,
    maxAttempts?: number | undefined,
    took?: number | undefined
  ) {
    this.entry = entry
    this.action = action
    this.attempt = attempt
    this.settlement = settlement
    this.span = span
    this.cause = cause
    this.maxAttempts = maxAttempts
    this.took = took
  }
}

/**
 * The result of a decision: it was written (`settled`), or the reason why not. The dead letter of an `undeliverable`
 * answer holds its text. The dead letter of an `unwritable` answer only holds the server's reason.
 */
export type Written = "settled" | "lost" | "ended" | "dropped" | "gone" | "undeliverable" | "unwritable"
