/** The lanes of contracts: their checks, the text of their rule, and the lane of a payload. */
import * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import type { Lane, LaneOptions, LaneRate } from "../../Action.ts"
import { InvalidOption } from "../base/invalidOption.ts"
import { checkUnsafe, type Kind, oneOf, text, time, wholeNumber } from "../base/options.ts"

/** Bytes of a name and of a key. */
const maxBytes = 200

// oxlint-disable-next-line no-control-regex -- those are what is looked for
const control = /[\u0000-\u001f\u007f]/

const isKey = (value: string): boolean => value !== "" && !control.test(value) && Buffer.byteLength(value) <= maxBytes

const backlog: Kind<NonNullable<LaneOptions["backlog"]>> = {
  expected: `"wait", "latest", "drop" or { max: a whole number from 1 }`,
  decode: (value) => {
    if (value === "wait" || value === "latest" || value === "drop") return value
    if (typeof value !== "object" || value === null || !("max" in value)) return undefined
    const { max } = value
    return typeof max === "number" && Number.isSafeInteger(max) && max >= 1 ? { max } : undefined
  },
  show: (value) => typeof value === "object" || typeof value === "string" ? JSON.stringify(value) : String(value),
  fromText: () => undefined
}

/** The key of a lane, where an operator gives it. */
export const keyRow: Kind<string> = {
  expected: `a text of 1 to ${maxBytes} bytes without control characters`,
  decode: (value) => typeof value === "string" && isKey(value) ? value : undefined,
  show: (value) => shownKey(value),
  fromText: () => undefined
}

/** The values that the options of a lane take. */
export const laneRows = {
  name: text(/^[\w.-]{1,200}$/, "1 to 200 letters, digits, dots, dashes and underscores"),
  concurrency: wholeNumber(1, 10_000),
  "rate.limit": wholeNumber(1, 1_000_000),
  "rate.per": time("1 milli", "366 days", { example: "1 second" }),
  backlog,
  onGiveUp: oneOf("continue", "halt")
} as const

const rateOf = (option: string, rate: LaneOptions["rate"], type: string): LaneRate | undefined =>
  rate === undefined ? undefined : {
    limit: checkUnsafe(`${option}.limit`, laneRows["rate.limit"], rate.limit, type),
    per: checkUnsafe(`${option}.per`, laneRows["rate.per"], rate.per, type)
  }

/** The checked options of the lane of a contract. Throws an `InvalidOption`. */
export const optionsOf = (options: LaneOptions, type: string): Omit<Lane, "key"> => ({
  name: options.name === undefined ? undefined : checkUnsafe("lane.name", laneRows.name, options.name, type),
  concurrency: options.concurrency === undefined
    ? 1
    : checkUnsafe("lane.concurrency", laneRows.concurrency, options.concurrency, type),
  rate: rateOf("lane.rate", options.rate, type),
  backlog: options.backlog === undefined
    ? "wait"
    : checkUnsafe("lane.backlog", laneRows.backlog, options.backlog, type),
  onGiveUp: options.onGiveUp === undefined
    ? "continue"
    : checkUnsafe("lane.onGiveUp", laneRows.onGiveUp, options.onGiveUp, type),
  total: options.total === undefined ? undefined : {
    concurrency: options.total.concurrency === undefined
      ? undefined
      : checkUnsafe("lane.total.concurrency", laneRows.concurrency, options.total.concurrency, type),
    rate: rateOf("lane.total.rate", options.total.rate, type)
  }
})

type Limits = Pick<Lane, "concurrency" | "rate" | "backlog" | "onGiveUp" | "total">

/** A rule as scripts read it. */
export const ruleText = ({ backlog, concurrency, onGiveUp, rate, total }: Limits): string =>
  [
    concurrency,
    rate?.limit ?? "-",
    rate === undefined ? "-" : Duration.toMillis(rate.per),
    typeof backlog === "object" ? backlog.max : backlog,
    onGiveUp,
    total?.concurrency ?? "-",
    total?.rate?.limit ?? "-",
    total?.rate === undefined ? "-" : Duration.toMillis(total.rate.per)
  ].join(" ")

/** The lane of a contract, ready for use. */
export interface LaneRule {
  /** `t:<type>` or `n:<name>`. */
  readonly name: string
  readonly rule: string
  readonly concurrency: number
  readonly key: (payload: unknown) => unknown
}

/** The name of the lane that all keys of a lane share, and of each, begins with this. */
export const nameOf = (type: string, name: string | undefined): string => name === undefined ? `t:${type}` : `n:${name}`

export const laneRule = (action: { readonly type: string; readonly lane: Lane | undefined }):
  | LaneRule
  | undefined =>
{
  const { lane } = action
  return lane === undefined ? undefined : {
    name: nameOf(action.type, lane.name),
    rule: ruleText(lane),
    concurrency: lane.concurrency,
    // SAFETY: the payload is of the schema that the key function was typed with.
    key: lane.key as (payload: unknown) => unknown
  }
}

/** Why a payload has no lane. It shows nothing of the payload. */
export type NoLane =
  | { readonly _tag: "Threw"; readonly message: string }
  | { readonly _tag: "BadKey"; readonly error: InvalidOption }

const shownKey = (key: unknown): string => {
  if (typeof key !== "string") return key === null ? "null" : `a value of type ${typeof key}`
  if (key === "") return "an empty text"
  return control.test(key) ? "a text with control characters" : `a text of ${Buffer.byteLength(key)} bytes`
}

/** The lane of a payload. */
export const laneFor = (type: string, lane: LaneRule, payload: unknown): Result.Result<string, NoLane> => {
  let key: unknown
  try {
    key = lane.key(payload)
  } catch (error) {
    const what = error instanceof Error ? error.name : `a value of type ${typeof error}`
    return Result.fail({ _tag: "Threw", message: `The key function of the lane of "${type}" threw: ${what}` })
  }
  return typeof key === "string" && isKey(key)
    ? Result.succeed(`${lane.name}\0${key}`)
    : Result.fail({
      _tag: "BadKey",
      error: new InvalidOption({ option: "lane.key", contract: type, found: shownKey(key), expected: keyRow.expected })
    })
}

/** The lane of actions that came without one and have no valid key: one at a time for the whole type. */
export const keyless = (lane: LaneRule): string => `${lane.name}\0?`

/** Finds rules of one lane that contradict each other. Give each use its own. */
export const makeRegistry = () => {
  const rules = new Map<string, { readonly rule: string; readonly type: string }>()
  return (service: string, type: string, { name, rule }: LaneRule): InvalidOption | undefined => {
    const key = `${service}\0${name}`
    const known = rules.get(key)
    if (known === undefined) {
      rules.set(key, { rule, type })
      return undefined
    }
    return known.rule === rule ? undefined : new InvalidOption({
      option: "lane",
      contract: type,
      found: `another rule than that of "${known.type}" for the lane ${name.slice(2)}`,
      expected: "the same limits wherever a lane is used"
    })
  }
}
