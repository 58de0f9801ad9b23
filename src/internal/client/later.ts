/** Sends that are more than an append: what is due later, may be over, or was sent before. */
import type * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { createHash } from "node:crypto"
import type { LaterOptions, SendOptions, When } from "../../ActionClient.ts"
import type { QueueNaming } from "../../QueueNaming.ts"
import type { Receipt, Scheduled } from "../../Receipt.ts"
import type { Redis, RedisError } from "../../Redis.ts"
import { InvalidOption } from "../base/invalidOption.ts"
import { memo } from "../base/memo.ts"
import { check } from "../base/options.ts"
import { type Names, namesOf, uniqueKey } from "../redis/names.ts"
import { sendLaned } from "../scripts/laneCalls.ts"
import { debounce, decodeParked, park, type Parked, reschedule, uniqueHashOf, unpark } from "../scripts/park.ts"
import { LaneFull, NotScheduled, NotSupported } from "./errors.ts"
import { laterRows } from "./options.ts"
import type { Target } from "./streams.ts"

/** The checked options of a call. Times are in milliseconds. */
export interface Terms {
  /** As scripts read it: `+` and a delay, `@` and a time, or nothing. */
  readonly when: string
  readonly expiresIn: number | undefined
  readonly unique: { readonly key: string; readonly within: number } | undefined
  readonly debounce: { readonly key: string; readonly quiet: number; readonly maxWait: number } | undefined
}

type Asked = LaterOptions & Pick<SendOptions, "unique" | "debounce">

/** Whether a call is a plain append. */
export const isPlain = (options: Asked): boolean =>
  options.delay === undefined && options.at === undefined && options.expiresIn === undefined &&
  options.unique === undefined && options.debounce === undefined

const both = (option: string, other: string) =>
  new InvalidOption({ option, found: `given together with "${other}"`, expected: "one of the two" })

const millis = (option: keyof typeof laterRows.times, value: unknown): Result.Result<number, InvalidOption> =>
  Result.map(check(option, laterRows.times[option], value), (time) => Math.ceil(Duration.toMillis(time)))

const whenOf = Effect.fnUntraced(function*({ at, delay }: When, now: number) {
  if (delay !== undefined && at !== undefined) return yield* both("at", "delay")
  if (delay !== undefined) return `+${yield* Effect.fromResult(millis("delay", delay))}`
  if (at === undefined) return ""
  const time = yield* Effect.fromResult(check("at", laterRows.at(now), at))
  return `@${Math.max(0, DateTime.toEpochMillis(time))}`
})

const termsOf = Effect.fnUntraced(function*(options: Asked, now: number) {
  const { expiresIn, unique } = options
  const when = yield* whenOf(options, now)
  const expires = expiresIn === undefined ? undefined : yield* Effect.fromResult(millis("expiresIn", expiresIn))
  const wait = when.startsWith("+") ? Number(when.slice(1)) : when.startsWith("@") ? Number(when.slice(1)) - now : 0
  if (expires !== undefined && expires <= wait) {
    return yield* new InvalidOption({
      option: "expiresIn",
      found: `${Duration.format(Duration.millis(expires))}, which is over before the action is due`,
      expected: "a time after the delay"
    })
  }
  const terms: Terms = {
    when,
    expiresIn: expires,
    unique: unique === undefined ? undefined : {
      key: yield* Effect.fromResult(check("unique.key", laterRows.key, unique.key)),
      within: yield* Effect.fromResult(millis("unique.within", unique.within))
    },
    debounce: options.debounce === undefined ? undefined : {
      key: yield* Effect.fromResult(check("debounce.key", laterRows.key, options.debounce.key)),
      quiet: yield* Effect.fromResult(millis("debounce.quiet", options.debounce.quiet)),
      maxWait: yield* Effect.fromResult(millis("debounce.maxWait", options.debounce.maxWait))
    }
  }
  if (terms.debounce !== undefined) {
    if (when !== "") return yield* both("debounce", options.delay === undefined ? "at" : "delay")
    if (terms.unique !== undefined) return yield* both("debounce", "unique")
  }
  return terms
})

/** A key holds for one type, so that two types may use the same. */
const hashOf = (actionType: string, key: string): string =>
  createHash("sha1").update(`${actionType}\0${key}`).digest("hex")

interface LaterInput {
  readonly redis: Redis["Service"]
  readonly naming: QueueNaming["Service"]
  readonly clock: Clock.Clock
}

export interface Written {
  readonly ids: ReadonlyArray<string>
  readonly texts: ReadonlyArray<string>
  readonly traceparent: string | undefined
  /** The lane of each, and the rule of all. */
  readonly laned?: { readonly lanes: ReadonlyArray<string>; readonly rule: string } | undefined
}

export const make = ({ clock, naming, redis }: LaterInput) => {
  const namesFor = memo((service: string): Names => namesOf(naming, service))
  const runPark = redis.eval(park.script)
  const runDebounce = redis.eval(debounce.script)
  const runLaned = redis.eval(sendLaned.script)

  const receipts = Effect.fnUntraced(function*(
    target: Target,
    actionType: string,
    ids: ReadonlyArray<string>,
    reply: unknown
  ) {
    const { service } = target
    const parked = decodeParked(reply)
    if (typeof parked === "string") return yield* new NotSupported({ service, needs: parked })
    const refused = ids.filter((_, index) => parked[index]?._tag === "Full")
    if (refused.length > 0) return yield* new LaneFull({ actionType, service, actionIds: refused })
    return parked.map((one, index) => receiptOf(target, ids[index]!, one))
  })

  const receiptOf = ({ service, stream }: Target, actionId: string, parked: Parked): Receipt => {
    const common = { actionId, service, stream }
    switch (parked._tag) {
      case "Sent":
        return { _tag: "Sent", ...common, entryId: parked.entryId }
      case "Scheduled":
        return { _tag: "Scheduled", ...common, at: DateTime.makeUnsafe(parked.at) }
      case "Waiting":
      case "Full":
        return { _tag: "Waiting", ...common }
      case "Duplicate": {
        const { entryId } = parked
        // An action that came without its lane and was adopted: its id is not known here.
        const actionId = parked.actionId === "" ? common.actionId : parked.actionId
        return { _tag: "Duplicate", ...common, first: entryId === undefined ? { actionId } : { actionId, entryId } }
      }
    }
  }

  return {
    terms: (options: Asked): Effect.Effect<Terms, InvalidOption> => termsOf(options, clock.currentTimeMillisUnsafe()),

    add: Effect.fnUntraced(function*(target: Target, actionType: string, terms: Terms, written: Written) {
      const names = namesFor(target.service)
      const { expiresIn, unique, when } = terms
      const { ids, laned, texts, traceparent } = written
      if (terms.debounce !== undefined) {
        const { key, maxWait, quiet } = terms.debounce
        const parkingId = `debounce\0${hashOf(actionType, key)}`
        const reply = yield* runDebounce({
          ...names,
          parkingId,
          quiet,
          maxWait,
          expiresIn,
          traceparent,
          text: texts[0]!,
          lane: laned?.lanes[0]
        })
        return yield* receipts(target, actionType, ids, reply)
      }
      const uniqueHash = unique === undefined ? "" : hashOf(actionType, unique.key)
      const common = {
        ...names,
        uniqueKey: unique === undefined ? undefined : uniqueKey(naming, target.service, uniqueHash),
        uniqueHash,
        within: unique?.within ?? 0,
        when,
        expiresIn,
        traceparent
      }
      const reply = yield* laned === undefined
        ? runPark({ ...common, ids, texts })
        : runLaned({
          ...common,
          rule: laned.rule,
          actions: ids.map((id, index) => ({ id, lane: laned.lanes[index]!, text: texts[index]! }))
        })
      return yield* receipts(target, actionType, ids, reply)
    }),

    reschedule: Effect.fnUntraced(function*(target: Target, actionId: string, when: When) {
      const time = yield* whenOf(when, clock.currentTimeMillisUnsafe())
      const reply = yield* redis.eval(reschedule.script)({
        ...namesFor(target.service),
        parkingId: actionId,
        when: time
      })
      if (typeof reply !== "string") return yield* new NotScheduled({ service: target.service, actionId })
      return {
        _tag: "Scheduled",
        actionId,
        service: target.service,
        stream: target.stream,
        at: DateTime.makeUnsafe(Number(reply))
      } satisfies Scheduled
    }),

    remove: Effect.fnUntraced(function*(
      target: Target,
      actionId: string
    ): Effect.fn.Return<void, NotScheduled | RedisError> {
      const names = namesFor(target.service)
      const missing = new NotScheduled({ service: target.service, actionId })
      const hash = yield* redis.eval(uniqueHashOf.script)({ ...names, parkingId: actionId })
      if (typeof hash !== "string") return yield* missing
      const removed = yield* redis.eval(unpark.script)({
        ...names,
        uniqueKey: hash === "" ? undefined : uniqueKey(naming, target.service, hash),
        parkingId: actionId
      })
      if (Number(removed) === 0) return yield* missing
    })
  }
}

export type Later = ReturnType<typeof make>
