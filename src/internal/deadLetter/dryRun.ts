/** Decodes dead letters as a worker would, and groups those that would fail again before the handler runs. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import * as ActionGroup from "../../ActionGroup.ts"
import type { Contracts, DeadLetter, DryRunGroup, Filter } from "../../DeadLetter.ts"
import * as DomainAction from "../../DomainAction.ts"
import type { Redis, RedisError } from "../../Redis.ts"
import type { InvalidOption } from "../base/invalidOption.ts"
import { codecOf } from "../contract/codec.ts"
import { validationDetail } from "../contract/validationDetail.ts"
import type { ScanParams } from "../scripts/deadLetter.ts"
import * as entry from "../wire/entry.ts"
import { eachScan, type Row } from "./reading.ts"

export interface TrialOptions {
  readonly redis: Redis["Service"]
  readonly payloadLimit: number
  readonly scanOf: (filter: Filter) => Effect.Effect<ScanParams | undefined, InvalidOption | RedisError>
}

/** The number of letters that a group names. */
const maxNamed = 10

/** The number of letters that one call fetches with their data. */
const batch = 100

type Decode = (action: DomainAction.DomainAction) => Effect.Effect<unknown, Schema.SchemaError, unknown>

const decodersOf = (contracts: Contracts) =>
  ActionGroup.isActionGroup(contracts)
    ? Effect.succeed(
      new Map<string, Decode>(
        [...contracts.actions].map(([type, action]) => [type, codecOf(action).decodeAction])
      )
    )
    : Effect.map(
      ActionGroup.toHandlers(contracts).build,
      (routes) => new Map<string, Decode>([...routes].map(([type, route]) => [type, route.decodePayload]))
    )

type Failure = Pick<DryRunGroup, "reason" | "actionType" | "issue">

export const dryRun = (options: TrialOptions): DeadLetter["Service"]["dryRun"] => {
  const { payloadLimit } = options
  const limits = { maxBytes: payloadLimit, maxDepth: DomainAction.defaultLimits.maxDepth }

  const decoded = ({ data, letter }: Row): Result.Result<DomainAction.DomainAction, string> => {
    switch (data._tag) {
      case "Absent":
        return Result.fail("The entry has no field data")
      case "TooLarge":
        return Result.fail(`The field data is larger than ${payloadLimit} bytes`)
      case "Text":
        return entry.decode(entry.withBroken(entry.make(letter.id, ["data", data.text]), data.broken), limits)
    }
  }

  const trial = Effect.fnUntraced(function*(row: Row, decoders: ReadonlyMap<string, Decode>) {
    const action = decoded(row)
    if (Result.isFailure(action)) {
      return { reason: "malformed", actionType: row.letter.actionType, issue: action.failure } satisfies Failure
    }
    const actionType = action.success.action_type
    const decode = decoders.get(actionType)
    if (decode === undefined) {
      return { reason: "unknown", actionType, issue: `No contract has the type ${actionType}` } satisfies Failure
    }
    const payload = yield* Effect.result(decode(action.success))
    return Result.isSuccess(payload)
      ? undefined
      : { reason: "invalid", actionType, issue: validationDetail(payload.failure).message } satisfies Failure
  })

  const run = Effect.fn("DeadLetter.dryRun")(function*(contracts: Contracts, filter: Filter = {}) {
    const decoders = yield* decodersOf(contracts)
    const groups = new Map<string, Failure & { count: number; readonly letters: Array<string> }>()
    let checked = 0
    let failed = 0
    const check = Effect.fnUntraced(function*(rows: ReadonlyArray<Row>) {
      for (const row of rows) {
        checked++
        const failure = yield* trial(row, decoders)
        if (failure === undefined) continue
        failed++
        const name = JSON.stringify([failure.reason, failure.actionType, failure.issue])
        const group = groups.get(name) ?? { ...failure, count: 0, letters: [] }
        groups.set(name, group)
        group.count++
        if (group.letters.length < maxNamed) group.letters.push(row.letter.id)
      }
      return true
    })
    const params = yield* options.scanOf(filter)
    if (params !== undefined) {
      yield* eachScan(options.redis, { ...params, limit: batch, dataLimit: payloadLimit }, check)
    }
    return {
      checked,
      passing: checked - failed,
      failing: [...groups.values()].sort((a, b) => b.count - a.count)
    }
  }, Effect.scoped)

  // SAFETY: the contracts determine the errors and services of building and decoding; inside they are unknown.
  return run as unknown as DeadLetter["Service"]["dryRun"]
}
