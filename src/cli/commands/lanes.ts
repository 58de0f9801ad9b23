/** `lanes`: which actions hold lanes and how many wait, the limits, and steering them. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Inspector from "../../Inspector.ts"
import type { LaneRules, LaneStatus, LaneSummary, LaneTarget } from "../../Lanes.ts"
import { service } from "../connect.ts"
import { notDone } from "../failure.ts"
import * as Flags from "../flags.ts"
import { inspector } from "../inspecting.ts"
import { note, show } from "../screen.ts"
import type { Column } from "../table.ts"
import { duration, number, relative, safe, text, time } from "../text.ts"

const ownerOf = ({ name, type }: Pick<LaneStatus, "name" | "type">): string => text(name ?? type)

const stateOf = ({ haltedAt, state, until }: LaneStatus, now: DateTime.Utc): string =>
  state === "halted"
    ? `halted ${relative(haltedAt, now)}`
    : state === "paused"
    ? `paused until ${time(until)}`
    : "open"

const columns = (lanes: ReadonlyArray<LaneStatus>, now: DateTime.Utc): ReadonlyArray<Column<LaneStatus>> => [
  { title: "lane", cell: ({ id }) => id },
  { title: "type or name", cell: ownerOf, cut: true },
  ...(lanes.some(({ key }) => key !== undefined)
    ? [{ title: "key", cell: ({ key, total }: LaneStatus) => total ? "(all keys)" : text(key), cut: true }]
    : []),
  { title: "held", cell: ({ held }) => number(held), align: "right" },
  { title: "waiting", cell: ({ waiting }) => number(waiting), align: "right" },
  { title: "waits since", cell: ({ waitingSince }) => relative(waitingSince, now) },
  { title: "held since", cell: ({ holders }) => relative(holders[0]?.since, now), rank: 1 },
  {
    title: "state",
    cell: (lane) => stateOf(lane, now),
    paint: ({ state }, text, style) =>
      state === "halted" ? style.bad(text) : state === "paused" ? style.caution(text) : text
  }
]

const ls = Command.make("ls", {
  stopped: Flags.flag("stopped", "Only lanes that are paused or halted"),
  keys: Flags.flag("keys", "Show the keys of lanes. They are part of payloads"),
  cursor: Flags.optionalText("cursor", "cursor", "Continue after the page before"),
  limit: Flags.limit(100, "How many lanes, at most 100. Default: 100")
}, ({ cursor, keys, limit, stopped }) =>
  Effect.gen(function*() {
    const name = yield* service
    const page = yield* Inspector.Inspector.use(({ lanes }) =>
      lanes(name, { stopped, keys, limit, cursor: Option.getOrUndefined(cursor) })
    )
    const now = yield* DateTime.now
    yield* show({ service: name, ...page }, (_, screen) =>
      page.lanes.length === 0
        ? [stopped ? "No lane is stopped." : "No action holds a lane or waits in one."]
        : screen.table(page.lanes, columns(page.lanes, now)))
    if (page.cursor !== undefined) yield* note(`There are more: --cursor ${page.cursor}`)
  }).pipe(Effect.provide(inspector))).pipe(
    Command.withDescription("List the lanes that actions hold or wait in, or that are stopped"),
    Command.withExamples([{ command: "redis-workers lanes ls --stopped -s payment", description: "What needs a hand" }])
  )

const rateOf = (rate: LaneRules["rate"]): string =>
  rate === undefined ? "-" : `${number(rate.limit)} in ${duration(rate.per)}`

const totalOf = ({ total }: LaneRules): string =>
  total === undefined
    ? "-"
    : [
      total.concurrency === undefined ? "" : number(total.concurrency),
      total.rate === undefined ? "" : rateOf(total.rate)
    ].filter((part) => part !== "").join(", ")

const ruleColumns: ReadonlyArray<Column<LaneSummary>> = [
  { title: "type or name", cell: ownerOf, cut: true },
  { title: "held", cell: ({ held }) => number(held), align: "right" },
  { title: "waiting", cell: ({ waiting }) => number(waiting), align: "right" },
  { title: "concurrency", cell: ({ rules }) => number(rules.concurrency), align: "right" },
  { title: "rate", cell: ({ rules }) => rateOf(rules.rate) },
  { title: "all keys", cell: ({ rules }) => totalOf(rules) },
  {
    title: "backlog",
    cell: ({ rules: { backlog } }) => typeof backlog === "string" ? backlog : `at most ${number(backlog.max)}`,
    rank: 1
  },
  { title: "at a dead letter", cell: ({ rules }) => rules.onGiveUp, rank: 2 },
  {
    title: "set by",
    cell: ({ overridden }) => overridden ? "an operator" : "the contract",
    paint: ({ overridden }, text, style) => overridden ? style.caution(text) : text
  }
]

const rules = Command.make("rules", {}, () =>
  Effect.gen(function*() {
    const name = yield* service
    const lanes = yield* Inspector.Inspector.use(({ laneNames }) => laneNames(name))
    yield* show({ service: name, lanes }, (_, screen) =>
      lanes.length === 0
        ? ["There are no lanes: no contract that was used has one."]
        : screen.table(lanes, ruleColumns))
  }).pipe(Effect.provide(inspector))).pipe(
    Command.withDescription(
      "List the limits of lanes, and how many actions hold and wait in all lanes of a type or name"
    ),
    Command.withExamples([{ command: "redis-workers lanes rules -s payment" }])
  )

const lane = Argument.String("lane").pipe(
  Argument.withDescription("The id that ls prints, or with --key the type or the name of the lane")
)
const key = Flags.optionalText("key", "key", "The key of the lane, instead of its id")
const named = Flags.flag("named", "The lane has a name of its own, and not that of a type")

const targetOf = (lane: string, key: Option.Option<string>, named: boolean): LaneTarget =>
  Option.isNone(key) ? { id: lane } : named ? { name: lane, key: key.value } : { type: lane, key: key.value }

const resume = Command.make("resume", { lane, key, named }, ({ key, lane, named }) =>
  Effect.gen(function*() {
    const name = yield* service
    const resumed = yield* Inspector.Inspector.use(({ resumeLane }) => resumeLane(name, targetOf(lane, key, named)))
    if (!resumed) return yield* notDone(`The lane ${safe(lane)} is neither paused nor halted. Nothing was done`)
    yield* show({ service: name, lane, done: "resumed" }, () => [`Resumed the lane ${safe(lane)}.`])
  }).pipe(Effect.provide(inspector))).pipe(
    Command.withDescription("End the pause or the halt of a lane"),
    Command.withExamples([
      { command: "redis-workers lanes resume 1f0c2b7a9d3e4f56 -s payment" },
      { command: "redis-workers lanes resume payment.charge --key ana -s payment" }
    ])
  )

const pause = Command.make("pause", {
  lane,
  key,
  named,
  for: Flags.duration("for", "How long. Default: 10 minutes")
}, ({ for: time_, key, lane, named }) =>
  Effect.gen(function*() {
    const name = yield* service
    const lasts = Option.getOrElse(time_, () => Duration.minutes(10))
    yield* Inspector.Inspector.use(({ pauseLane }) => pauseLane(name, targetOf(lane, key, named), lasts))
    yield* show({ service: name, lane, done: "paused", for: lasts }, () => [
      `Paused the lane ${safe(lane)} for ${duration(lasts)}.`
    ])
  }).pipe(Effect.provide(inspector))).pipe(
    Command.withDescription("Let nothing in from a lane for some time. What runs goes on"),
    Command.withExamples([{ command: "redis-workers lanes pause payment.charge --key ana --for 10m -s payment" }])
  )

export const lanes = Command.make("lanes").pipe(
  Command.withDescription("Look at lanes and steer them"),
  Command.withSubcommands([ls, rules, pause, resume])
)
