/** Makes schedules from options, and refuses those that could never run. */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import type * as Action from "../../Action.ts"
import type { CronOptions, EveryOptions, ScheduleOptions } from "../../Schedules.ts"
import { exitOf } from "../base/exit.ts"
import { InvalidOption } from "../base/invalidOption.ts"
import { checkUnsafe, type Kind, oneOf, text, time } from "../base/options.ts"
import { codecOf } from "../contract/codec.ts"
import { validationDetail } from "../contract/validationDetail.ts"
import { defaultDst, parse, type Rule } from "./recurrence.ts"
import { type Declared, recurrenceOf, type Spec, versionOf } from "./spec.ts"

export const scheduleRows = {
  name: text(/^[\w.-]{1,100}$/, "1 to 100 letters, digits, \"_\", \".\" or \"-\""),
  every: time("1 second", "366 days", { example: "30 seconds" }),
  jitter: time(0, "1 day", { example: "1 minute" }),
  all: time("1 second", "366 days", { example: "2 hours" }),
  missed: oneOf("skip", "latest"),
  overlap: oneOf("allow", "skip", "queue-one"),
  onDstOverlap: oneOf("earlier", "later", "both"),
  cron: text(/^[^]{1,200}$/, "a cron expression of five or six fields, such as \"0 3 * * *\""),
  timeZone: text(/^[^]{1,100}$/, "an IANA time zone, such as \"Europe/Berlin\"")
} as const

const dateTime: Kind<DateTime.DateTime> = {
  expected: "a DateTime",
  decode: (value) => DateTime.isDateTime(value) ? value : undefined,
  show: (value) => `a value of type ${typeof value}`,
  fromText: () => undefined
}

const refuse = (option: string, found: string, expected: string, contract: string): never => {
  throw new InvalidOption({ option, found, expected, contract })
}

const millis = (option: string, kind: Kind<Duration.Duration>, value: unknown, name: string): number =>
  Math.round(Duration.toMillis(checkUnsafe(option, kind, value, name)))

const epoch = (option: string, value: unknown, name: string): number | undefined =>
  value === undefined ? undefined : DateTime.toEpochMillis(checkUnsafe(option, dateTime, value, name))

/** The encoded payload. Schedules are made once, so a payload is written when it is declared and not when it is due. */
const dataOf = (name: string, action: Action.Any, payload: unknown): Spec["data"] => {
  const exit = exitOf(codecOf(action).encodePayload(payload))
  if (exit === undefined) {
    return refuse("payload", "a payload whose schema waits", "a schema that encodes at once", name)
  }
  if (exit._tag === "Success") return exit.value
  const error = exit.cause.reasons[0]
  const said = error?._tag === "Fail" ? validationDetail(error.error).message : "a payload that cannot be encoded"
  return refuse("payload", said, `the payload of ${action.type}`, name)
}

const missedOf = ({ missed }: ScheduleOptions, name: string): Spec["missed"] => {
  if (missed === undefined) return "latest"
  if (typeof missed === "object" && missed !== null) {
    return { all: millis("missed.all", scheduleRows.all, missed.all, name) }
  }
  return checkUnsafe("missed", scheduleRows.missed, missed, name)
}

/** Lanes do not nest: the contract's own lane says what may run beside what. */
const overlapOf = ({ overlap = "allow" }: ScheduleOptions, action: Action.Any, name: string): Spec["overlap"] => {
  const checked = checkUnsafe("overlap", scheduleRows.overlap, overlap, name)
  return checked === "allow" || action.lane === undefined ? checked : refuse(
    "overlap",
    `"${checked}" for ${action.type}, whose contract has a lane`,
    "\"allow\": the backlog of the lane does the same",
    name
  )
}

const declare = (
  name: string,
  action: Action.Any,
  payload: unknown,
  rule: Rule,
  options: ScheduleOptions
): Declared & { readonly actionType: string } => {
  const spec: Spec = {
    actionType: action.type,
    data: dataOf(name, action, payload),
    rule,
    missed: missedOf(options, name),
    overlap: overlapOf(options, action, name),
    jitter: millis("jitter", scheduleRows.jitter, options.jitter ?? 0, name),
    from: epoch("from", options.from, name),
    until: epoch("until", options.until, name)
  }
  const recurrence = recurrenceOf(spec)
  if (Result.isSuccess(recurrence) && recurrence.success.next((spec.from ?? 0) - 1) === undefined) {
    return refuse(
      "cron" in rule ? "cron" : "until",
      "cron" in rule ? JSON.stringify(rule.cron) : "a time before the first slot",
      "a schedule with at least one slot",
      name
    )
  }
  return { name, actionType: action.type, version: versionOf(spec), spec }
}

const checkedName = (name: string): string => checkUnsafe("name", scheduleRows.name, name)

export const cron = <A extends Action.Any>(name: string, options: CronOptions<A>) => {
  checkedName(name)
  const expression = checkUnsafe("cron", scheduleRows.cron, options.cron, name)
  const timeZone = checkUnsafe("timeZone", scheduleRows.timeZone, options.timeZone ?? "UTC", name)
  if (DateTime.zoneMakeNamed(timeZone)._tag === "None") {
    return refuse("timeZone", JSON.stringify(timeZone), scheduleRows.timeZone.expected, name)
  }
  const dst = checkUnsafe(
    "onDstOverlap",
    scheduleRows.onDstOverlap,
    options.onDstOverlap ?? defaultDst(expression),
    name
  )
  const rule: Rule = { cron: expression, timeZone, dst }
  const parsed = parse(rule)
  if (Result.isFailure(parsed)) {
    return refuse("cron", `${JSON.stringify(expression)} (${parsed.failure})`, scheduleRows.cron.expected, name)
  }
  return declare(name, options.action, options.payload, rule, options)
}

export const every = <A extends Action.Any>(name: string, options: EveryOptions<A>) => {
  checkedName(name)
  const rule: Rule = { every: millis("every", scheduleRows.every, options.every, name) }
  return declare(name, options.action, options.payload, rule, options)
}

/** The schedules of one worker, without repetition. */
export const distinct = (schedules: ReadonlyArray<Declared>): Result.Result<ReadonlyArray<Declared>, InvalidOption> => {
  const byName = new Map<string, Declared>()
  for (const schedule of schedules) {
    const other = byName.get(schedule.name)
    if (other !== undefined && other.version !== schedule.version) {
      return Result.fail(
        new InvalidOption({
          option: "schedules",
          found: `two different schedules with the name "${schedule.name}"`,
          expected: "one schedule for each name"
        })
      )
    }
    byName.set(schedule.name, schedule)
  }
  return Result.succeed([...byName.values()])
}
