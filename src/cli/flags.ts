/** Flags that several commands share, and their texts. */
import * as Flag from "effect/cli/Flag"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

const unit = /^(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d|w)?$/

const millis: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  min: 60_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000
}

/** `90`, `90s`, `10m`, `2 hours`: a bare number is in seconds, as in the environment. */
export const parseDuration = (text: string): Option.Option<Duration.Duration> => {
  const found = unit.exec(text.trim())
  if (found !== null) return Option.some(Duration.millis(Number(found[1]) * millis[found[2] ?? "s"]!))
  // SAFETY: another text is refused with `None`.
  return Duration.fromInput(text.trim() as Duration.Input)
}

const parseTime = (text: string): Option.Option<DateTime.Utc> => Option.map(DateTime.make(text), DateTime.toUtc)

export const duration = (name: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar("time"),
    Flag.withDescription(description),
    Flag.filterMap(parseDuration, (text) => `"${text}" is not a time: expected for example 90s, 10m or "2 hours"`),
    Flag.optional
  )

export const moment = (name: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar("date"),
    Flag.withDescription(description),
    Flag.filterMap(parseTime, (text) => `"${text}" is not a date: expected for example 2026-12-24T08:00:00Z`)
  )

export const optionalText = (name: string, metavar: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar(metavar), Flag.withDescription(description), Flag.optional)

/** A flag that is off by default and has no negation. */
export const flag = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withDescription(description), Flag.withDefault(false), Flag.withoutNegation)

export const dryRun = flag("dry-run", "Say what would be done, and do nothing")

export const yes = flag("yes", "Do not ask for confirmation").pipe(Flag.withAlias("y"))

export const payload = flag("payload", "Show payloads. They may hold personal data")

export const limit = (fallback: number, description: string) =>
  Flag.Int("limit").pipe(
    Flag.withAlias("n"),
    Flag.withMetavar("count"),
    Flag.withDescription(description),
    Flag.filter((n) => n >= 1, (n) => `${n} is not a count: expected a whole number from 1`),
    Flag.withDefault(fallback)
  )

/** A record without the flags that were not given. */
export const given = <R extends { readonly [name: string]: Option.Option<unknown> }>(
  flags: R
): { readonly [K in keyof R]?: R[K] extends Option.Option<infer A> ? A : never } =>
  // SAFETY: the members are those of the options that have a value.
  Object.fromEntries(
    Object.entries(flags).flatMap(([name, value]) => Option.isSome(value) ? [[name, value.value]] : [])
  ) as never
