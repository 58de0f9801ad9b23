/** Puts the inspector together. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as ActionGroup from "../../ActionGroup.ts"
import type * as DeadLetter from "../../DeadLetter.ts"
import type * as Inspector from "../../Inspector.ts"
import { QueueNaming } from "../../QueueNaming.ts"
import { Redis } from "../../Redis.ts"
import { InvalidOption } from "../base/invalidOption.ts"
import { naming } from "../redis/refusedCommand.ts"
import * as Desk from "./desk.ts"
import * as find from "./find.ts"
import * as lanes from "./lanes.ts"
import * as lists from "./lists.ts"
import * as pausing from "./pausing.ts"
import * as purge from "./purge.ts"
import * as reads from "./reads.ts"
import * as stale from "./stale.ts"
import * as statistics from "./statistics.ts"
import * as verbs from "./verbs.ts"

const groupsIn = (contracts: Inspector.Options["contracts"]): ReadonlyArray<ActionGroup.Any> =>
  contracts === undefined ? [] : "actions" in contracts ? [contracts] : contracts

const makeWith = Effect.fnUntraced(function*(options: Inspector.Options) {
  const redis = naming(yield* Redis)
  const queues = yield* QueueNaming
  const context: Context.Context<never> = yield* Effect.context<never>()
  const groups = groupsIn(options.contracts)
  const ofContracts = groups.flatMap((group) => [...group.actions.keys()].map(queues.targetService))
  const desk = Desk.make({
    redis,
    naming: queues,
    services: new Set([...options.services ?? [], ...ofContracts]),
    groups,
    scan: options.scan === true
  })
  const list = lists.make(desk, context)
  const { pauses, ...read } = reads.make(desk)
  return {
    ...read,
    pauses,
    list,
    find: find.make(desk, context),
    ...lanes.make(desk, context),
    statistics: statistics.make(desk),
    stale: stale.make(desk),
    ...verbs.make(desk, context),
    ...pausing.make(desk),
    ...purge.make(desk, list, context)
  } satisfies Inspector.Inspector["Service"]
})

export const make = <C extends ActionGroup.Any = never>(
  options: Inspector.Options<C> = {}
): Effect.Effect<
  Inspector.Inspector["Service"],
  InvalidOption,
  Redis | QueueNaming | ([C] extends [never] ? never : DeadLetter.DryRunServices<C>)
> =>
  options.scan === undefined || typeof options.scan === "boolean"
    ? makeWith(options)
    : Effect.fail(new InvalidOption({ option: "scan", found: String(options.scan), expected: "true or false" }))

export const makeDefault: Effect.Effect<Inspector.Inspector["Service"], never, Redis | QueueNaming> = makeWith({})
