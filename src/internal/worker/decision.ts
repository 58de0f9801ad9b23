/**
 * The noun that travels from a run to the settler: an entry together with what was decided about it.
 */
import type * as Tracer from "effect/Tracer"
import type { DomainAction } from "../../DomainAction.ts"
import type { Settlement } from "../../Settlement.ts"
import type { Entry } from "../wire/entry.ts"

/** An entry together with what was decided about it. A class and no literal, see `entry.ts`. */
export class Decision {
  readonly entry: Entry
  /** `undefined` when the entry could not be decoded. */
  readonly action: DomainAction | undefined
  readonly attempt: number
  readonly settlement: Settlement
  /** The span of the run, where there is a tracer. */
  readonly span: Tracer.Span | undefined
  /** What the handler failed with, for the log and the dead letter. */
  readonly cause: unknown
  /** How many attempts the action has, for the log. */
  readonly maxAttempts?: number | undefined
  constructor(
    entry: Entry,
    action: DomainAction | undefined,
    attempt: number,
    settlement: Settlement,
    span: Tracer.Span | undefined,
    cause: unknown,
    maxAttempts?: number | undefined
  ) {
    this.entry = entry
    this.action = action
    this.attempt = attempt
    this.settlement = settlement
    this.span = span
    this.cause = cause
    this.maxAttempts = maxAttempts
  }
}

/**
 * What became of a decision: it was written (`settled`), or why not. The dead letter of an `undeliverable` answer holds its
 * text; that of an `unwritable` one only says why the server refused it.
 */
export type Written = "settled" | "lost" | "ended" | "dropped" | "gone" | "undeliverable" | "unwritable"
