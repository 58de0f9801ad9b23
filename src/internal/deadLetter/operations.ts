/** The operations on dead letters, as a sequence of bounded script calls. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type {
  DeadLetter,
  Details,
  Filter,
  Letter,
  ListOptions,
  Page,
  ReplayManyOptions,
  ReplayOptions,
  Summary,
  SummaryGroup
} from "../../DeadLetter.ts"
import * as DomainAction from "../../DomainAction.ts"
import type { QueueNamingShape } from "../../QueueNaming.ts"
import { type Redis, RedisError } from "../../Redis.ts"
import type { InvalidOption } from "../base/invalidOption.ts"
import { slotsOf } from "../redis/cluster.ts"
import { accepts, type Names } from "../redis/names.ts"
import { array, strings } from "../redis/reply.ts"
import { explainText } from "../redis/streamIds.ts"
import { maxBytes } from "../scripts/bounds.ts"
import { countLetters, readLetter, type ScanParams } from "../scripts/deadLetter.ts"
import { redeliverAnswer, replayLetters } from "../scripts/deadLetterMoves.ts"
import { type PushTarget, target } from "../wire/answerTarget.ts"
import * as entry from "../wire/entry.ts"
import { type Address, addressIn, rerouteFor } from "../wire/outbound.ts"
import { dryRun } from "./dryRun.ts"
import { DeadLetterNotFound, NotDeliverable, NotReplayable, TooManyHops } from "./errors.ts"
import { checkGiven, listRows, manyRows, replayRows } from "./options.ts"
import * as reading from "./reading.ts"

export interface DeadLettersOptions {
  readonly redis: Redis["Service"]
  readonly naming: QueueNamingShape
  readonly names: Names
  /** The size of `data` above which an action is not decoded, in bytes. */
  readonly payloadLimit: number
  /** Whole milliseconds, at least one. */
  readonly responseTimeToLive: number
}

/** Letters moved or removed in one call. */
const batch = 100

/** The maximum number of refusals in a report. */
const maxRefusals = 100

/** The reasons whose handlers did not finish their work. `replayMany` selects them by default. */
const undone = ["malformed", "poison", "unknown", "invalid", "rejected", "exhausted"] as const

/** A range of ids could match more than one letter, so only a full id is accepted. */
const isId = (text: string): boolean => /^\d{1,20}-\d{1,20}$/.test(text)

const orUndefined = (text: string | undefined): string | undefined => text === "" ? undefined : text

/** Fails when an option of a replay is invalid. */
const checkReplay = (options: ReplayOptions): Effect.Effect<void, InvalidOption> =>
  Effect.andThen(
    checkGiven("maxHops", replayRows.maxHops, options.maxHops),
    checkGiven("force", replayRows.force, options.force)
  )

const noLimits: DomainAction.Limits = { ...DomainAction.defaultLimits, maxBytes: Number.MAX_SAFE_INTEGER }

/** In an action stream, an error response would be a malformed entry. */
const kindOf = (answer: string): "action" | "response" =>
  Result.isSuccess(DomainAction.parse(answer, noLimits)) ? "action" : "response"

export const make = (options: DeadLettersOptions): DeadLetter["Service"] => {
  const { naming, names, payloadLimit, redis, responseTimeToLive } = options
  const key = names.deadLetters

  const notFound = (id: string) => Effect.fail(new DeadLetterNotFound({ id }))

  // ---------------------------------------------------------------------------
  // looking
  // ---------------------------------------------------------------------------

  const scanOf = (filter: Filter, order: ListOptions["order"]) => reading.scanOf(redis, key, filter, order)

  const list = Effect.fn("DeadLetter.list")(function*(options: ListOptions = {}) {
    const limit = options.limit ?? listRows.limit.fallback
    yield* checkGiven("limit", listRows.limit, limit)
    yield* checkGiven("order", listRows.order, options.order)
    const letters: Array<Letter> = []
    const params = yield* scanOf(options, options.order)
    if (params === undefined) return { letters, cursor: undefined } satisfies Page
    let cursor = options.cursor
    do {
      const rest = cursor === undefined ? params : reading.after(params, cursor)
      const wanted = limit - letters.length
      const { last, rows } = yield* reading.scanOnce(redis, { ...rest, limit: Math.min(wanted, rest.scanLimit) })
      for (const row of rows) letters.push(row.letter)
      cursor = last === "" ? undefined : last
    } while (cursor !== undefined && letters.length < limit)
    return { letters, cursor } satisfies Page
  })

  const stream: DeadLetter["Service"]["stream"] = (options = {}) =>
    Stream.paginate<ScanParams | undefined, Letter, InvalidOption | RedisError>(
      undefined,
      Effect.fnUntraced(function*(rest) {
        const params = rest ?? (yield* scanOf(options, options.order))
        if (params === undefined) return [[], Option.none()] as const
        const { last, rows } = yield* reading.scanOnce(redis, { ...params, limit: listRows.limit.fallback })
        return [
          rows.map((row) => row.letter),
          last === "" ? Option.none() : Option.some(reading.after(params, last))
        ] as const
      })
    )

  const look = Effect.fnUntraced(function*(id: string) {
    const reply = isId(id) ? array(yield* redis.eval(readLetter.script)({ deadLetters: key, id })) : []
    const [size, flat, values, replaced, inData] = reply
    if (size === undefined) return yield* notFound(id)
    const notes = reading.notesFrom(flat)
    const fields = strings(values)
    const read = entry.make(id, fields)
    const broken = reading.isBroken(read.data ?? "", inData)
    const details = {
      ...reading.letterFrom(id, Number(size), notes),
      entry: Array.from({ length: fields.length / 2 }, (_, i) => [fields[2 * i] ?? "", fields[2 * i + 1] ?? ""]),
      binary: reading.isBroken(fields.join("\0"), replaced),
      data: read.data,
      action: entry.decode(entry.withBroken(read, broken), {
        maxBytes: payloadLimit,
        maxDepth: DomainAction.defaultLimits.maxDepth
      }),
      answer: notes.get("answer"),
      undeliverable: notes.get("undeliverable")
    } satisfies Details
    return { details, notes }
  })

  const inspect = Effect.fn("DeadLetter.inspect")((id: string) => Effect.map(look(id), ({ details }) => details))

  // ---------------------------------------------------------------------------
  // counting
  // ---------------------------------------------------------------------------

  const countGroups = Effect.fnUntraced(function*(filter: Filter) {
    const groups = new Map<string, SummaryGroup>()
    const scan = yield* scanOf(filter, "oldest")
    if (scan === undefined) return []
    const timeOf = (id: string) => reading.dateOf(Math.min(entry.millisOf(id), scan.now))
    let rest: ScanParams | undefined = scan
    while (rest !== undefined) {
      const [found, last] = array(yield* redis.eval(countLetters.script)(rest))
      for (const row of array(found)) {
        const [reason = "", actionType = "", errorType = "", counted, first = "", latest = ""] = array(row).map(String)
        const name = JSON.stringify([reason, actionType, errorType])
        const before = groups.get(name)
        groups.set(name, {
          reason: reading.isReason(reason) ? reason : "other",
          actionType: orUndefined(actionType),
          errorType: orUndefined(errorType),
          count: (before?.count ?? 0) + Number(counted),
          oldest: before?.oldest ?? timeOf(first),
          newest: timeOf(latest)
        })
      }
      rest = last === "" || last === undefined ? undefined : reading.after(rest, String(last))
    }
    return [...groups.values()].sort((a, b) => b.count - a.count)
  })

  const count = Effect.fn("DeadLetter.count")(function*(filter: Filter = {}) {
    if (Object.values(filter).every((part) => part === undefined)) return Number(yield* redis.send("XLEN", key))
    return (yield* countGroups(filter)).reduce((sum, group) => sum + group.count, 0)
  })

  const summary = Effect.fn("DeadLetter.summary")(function*(filter: Filter = {}) {
    const groups = yield* countGroups(filter)
    const totals = (nameOf: (group: SummaryGroup) => string) => {
      const sums = new Map<string, number>()
      for (const group of groups) sums.set(nameOf(group), (sums.get(nameOf(group)) ?? 0) + group.count)
      return Object.fromEntries(sums)
    }
    return {
      total: groups.reduce((sum, group) => sum + group.count, 0),
      groups,
      byReason: totals((group) => group.reason),
      byActionType: totals((group) => group.actionType ?? "")
    } satisfies Summary
  })

  // ---------------------------------------------------------------------------
  // replaying
  // ---------------------------------------------------------------------------

  /** The id of the new entry, or why a letter was not replayed. */
  type Replayed = Result.Result<string, DeadLetterNotFound | TooManyHops | NotReplayable>

  const replayedAs = (id: string, status: string | undefined, detail: string, maxHops: number): Replayed => {
    switch (status) {
      case "replayed":
        return Result.succeed(detail)
      case "hops":
        return Result.fail(new TooManyHops({ id, hops: Number(detail), maxHops }))
      case "foreign":
        return Result.fail(
          new NotReplayable({
            id,
            message: `${id} was not written by this library: it holds no entry. Inspect it, then discard it`
          })
        )
      case "wide":
        return Result.fail(
          new NotReplayable({
            id,
            message: `The entry in ${id} has ${detail} fields: more than a script can add. Inspect it, then discard it`
          })
        )
      default:
        return Result.fail(new DeadLetterNotFound({ id }))
    }
  }

  const replayIds = Effect.fnUntraced(function*(ids: ReadonlyArray<string>, options: ReplayOptions) {
    const maxHops = options.maxHops ?? replayRows.maxHops.fallback
    const reply = strings(
      yield* redis.eval(replayLetters.script)({
        ...names,
        maxHops: options.force === true || !Number.isFinite(maxHops) ? -1 : maxHops,
        budget: maxBytes,
        ids
      })
    )
    const results: Array<Replayed> = []
    for (let i = 0; i + 1 < reply.length; i += 2) {
      const detail = reply[i + 1] ?? ""
      if (reply[i] === "failed") {
        return yield* new RedisError({ cause: new Error(explainText(names.stream, detail)) })
      }
      results.push(replayedAs(ids[i / 2] ?? "", reply[i], detail, maxHops))
    }
    return results
  })

  const replay = Effect.fn("DeadLetter.replay")(function*(id: string, options: ReplayOptions = {}) {
    yield* checkReplay(options)
    const result = isId(id) ? (yield* replayIds([id], options))[0] : undefined
    return yield* result === undefined ? notFound(id) : Effect.fromResult(result)
  })

  const replayMany = Effect.fn("DeadLetter.replayMany")(
    function*(filter: Filter, options: ReplayManyOptions = {}) {
      const rate = options.ratePerSecond
      const limit = options.limit ?? manyRows.limit.fallback
      yield* checkReplay(options)
      yield* checkGiven("ratePerSecond", manyRows.ratePerSecond, rate)
      yield* checkGiven("limit", manyRows.limit, limit)
      const report = { replayed: 0, missing: 0, refused: 0, refusals: Array<TooManyHops | NotReplayable>() }
      // A tenth of a second's worth at once: no burst, and few calls.
      const size = rate === undefined ? batch : Math.max(1, Math.min(batch, Math.floor(rate / 10)))
      let pause = 0

      const replaySome = Effect.fnUntraced(function*(rows: ReadonlyArray<reading.Row>) {
        let ids = rows.map((row) => row.letter.id)
        while (ids.length > 0 && report.replayed < limit) {
          if (pause > 0) yield* Effect.sleep(Duration.millis(pause))
          const results = yield* replayIds(ids.slice(0, Math.min(size, limit - report.replayed)), options)
          let replayed = 0
          for (const result of results) {
            if (Result.isSuccess(result)) {
              replayed++
            } else if (result.failure._tag === "DeadLetterNotFound") {
              report.missing++
            } else {
              report.refused++
              if (report.refusals.length < maxRefusals) report.refusals.push(result.failure)
            }
          }
          report.replayed += replayed
          pause = rate === undefined ? 0 : 1000 * replayed / rate
          ids = ids.slice(Math.max(1, results.length))
        }
        return report.replayed < limit
      })

      const params = yield* scanOf(filter.reason === undefined ? { ...filter, reason: undone } : filter, "oldest")
      if (params !== undefined && limit > 0) yield* reading.eachScan(redis, params, replaySome)
      return report
    }
  )

  // ---------------------------------------------------------------------------
  // discarding
  // ---------------------------------------------------------------------------

  const discard = Effect.fn("DeadLetter.discard")(function*(id: string) {
    const removed = isId(id) ? Number(yield* redis.send("XDEL", key, id)) : 0
    if (removed === 0) return yield* notFound(id)
  })

  const discardMany = Effect.fn("DeadLetter.discardMany")(
    function*(filter: Filter, options: { readonly limit?: number | undefined } = {}) {
      const limit = options.limit ?? manyRows.limit.fallback
      yield* checkGiven("limit", manyRows.limit, limit)
      const params = yield* scanOf(filter, "oldest")
      let removed = 0
      if (params !== undefined && limit > 0) {
        yield* reading.eachScan(redis, params, (rows) => {
          const ids = rows.slice(0, limit - removed).map((row) => row.letter.id)
          return Effect.map(redis.send("XDEL", key, ...ids), (reply) => {
            removed += Number(reply)
            return removed < limit
          })
        })
      }
      return removed
    }
  )

  // ---------------------------------------------------------------------------
  // answers
  // ---------------------------------------------------------------------------

  /** An answer for another slot goes there by way of a worker. */
  const reroute = rerouteFor(slotsOf(redis, key), names.outbound, () => {}) ?? identity

  const accepted = accepts(naming)

  const allowed = (address: Address, payload: string): PushTarget | undefined =>
    (address.kind === "stream" ? ["stream"] as const : ["response", "callback"] as const).some((kind) =>
        accepted(address.key, kind)
      )
      ? { ...address, payload }
      : undefined

  const answerOf = (data: string, answer: string): PushTarget | undefined => {
    // The action was decoded once, by a worker whose limits may have been others.
    const action = DomainAction.parse(data, noLimits)
    return Result.isSuccess(action)
      ? target(action.success, answer, { accepts: accepted, responseTimeToLive }, kindOf(answer))
      : undefined
  }

  const redeliver = Effect.fn("DeadLetter.redeliver")(function*(id: string) {
    const refuse = (message: string) => Effect.fail(new NotDeliverable({ id, message }))
    const { details: { answer, data }, notes } = yield* look(id)
    // The letter of an answer that a worker could not forward to another slot: it has an address, and no action.
    const noted = notes.get("address")
    const address = noted === undefined ? undefined : addressIn(noted)
    if (answer === undefined || data === undefined && address === undefined) {
      return yield* refuse(`The dead letter ${id} holds no answer: replay it to get one`)
    }
    const push = address !== undefined ? allowed(address, answer) : answerOf(data ?? "", answer)
    if (push === undefined) {
      return yield* refuse(
        "The naming does not accept the list that the message names for its answer. Correct the naming, or discard the letter"
      )
    }
    const routed = reroute(push)
    const [status, detail] = strings(
      yield* redis.eval(redeliverAnswer.script)({
        deadLetters: key,
        target: routed.key,
        kind: routed.kind,
        timeToLive: routed.timeToLive,
        atLeast: routed.atLeast,
        traceparent: routed.traceparent,
        id
      })
    )
    switch (status) {
      case "delivered":
        return { letter: orUndefined(detail) }
      case "missing":
        return yield* notFound(id)
      case "refused":
        return yield* refuse(explainText(push.key, detail ?? ""))
      default:
        return yield* refuse(`The dead letter ${id} holds no answer: replay it to get one`)
    }
  })

  return {
    list,
    stream,
    inspect,
    count,
    summary,
    replay,
    replayMany,
    discard,
    discardMany,
    redeliver,
    dryRun: dryRun({ redis, payloadLimit, scanOf: (filter) => scanOf(filter, "oldest") })
  }
}
