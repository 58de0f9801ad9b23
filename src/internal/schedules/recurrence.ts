/** When a schedule recurs. Slots are times in milliseconds by the server's clock. */
import * as Cron from "effect/Cron"
import * as Result from "effect/Result"

/** How a schedule recurs, as it is kept in Redis. */
export type Rule =
  | {
    readonly cron: string
    readonly timeZone: string
    readonly dst: "earlier" | "later" | "both"
  }
  | { readonly every: number }

export interface Recurrence {
  /** The first slot after a time; `undefined` if there is none. */
  readonly next: (after: number) => number | undefined
  /** The last slot at or before a time; `undefined` if there is none. */
  readonly lastUntil: (until: number) => number | undefined
}

/** Intervals begin at the Unix epoch, so that a restart does not move them. */
const interval = (every: number): Recurrence => ({
  next: (after) => (Math.floor(after / every) + 1) * every,
  lastUntil: (until) => Math.floor(until / every) * every
})

/** `Cron` throws when an expression matches no date within some years, such as 30 February. */
const found = (search: () => Date): number | undefined => {
  const date = Result.try(search)
  return Result.isSuccess(date) ? date.success.getTime() : undefined
}

const calendar = (cron: Cron.Cron): Recurrence => ({
  next: (after) => found(() => Cron.next(cron, after)),
  lastUntil: (until) => found(() => Cron.prev(cron, until + 1))
})

/**
 * Whether an expression runs in every hour or in several: the hour field is `*`, a step or a range. Where an hour of the day
 * comes twice, it runs in both. Effect's default leaves the second out, so that every quarter of an hour would be silent for
 * an hour and a quarter.
 */
const repeatsInHours = (expression: string): boolean => {
  const fields = expression.trim().split(/\s+/)
  const hours = fields[fields.length === 6 ? 2 : 1] ?? ""
  return /[*/-]/.test(hours)
}

export const defaultDst = (expression: string): "earlier" | "both" => repeatsInHours(expression) ? "both" : "earlier"

/** The recurrence of a rule, or why it has none. */
export const parse = (rule: Rule): Result.Result<Recurrence, string> => {
  if ("every" in rule) return Result.succeed(interval(rule.every))
  const cron = Cron.parse(rule.cron, rule.timeZone, { onDstOverlap: rule.dst })
  return Result.isSuccess(cron) ? Result.succeed(calendar(cron.success)) : Result.fail(cron.failure.message)
}
