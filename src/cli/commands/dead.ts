/** `dead`: what failed for good and why; run it again or discard it. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as DeadLetter from "../../DeadLetter.ts"
import { confirm } from "../confirm.ts"
import { connection, service } from "../connect.ts"
import { contracts } from "../contracts.ts"
import { invalid, notDone } from "../failure.ts"
import * as Flags from "../flags.ts"
import { note, show } from "../screen.ts"
import { type Column, pairs } from "../table.ts"
import { count, number, relative, safe, text, time } from "../text.ts"

const reasons = [
  "malformed",
  "unknown",
  "invalid",
  "exhausted",
  "rejected",
  "poison",
  "unencodable",
  "undeliverable",
  "other"
] as const satisfies ReadonlyArray<DeadLetter.Reason>

const filters = {
  type: Flags.optionalText("type", "type", "Only actions of this type"),
  reason: Flag.Literals("reason", reasons).pipe(Flag.withDescription("Only letters with this reason"), Flag.optional),
  error: Flags.optionalText("error", "tag", "Only letters with this error type"),
  olderThan: Flags.duration("older-than", "Only letters at least this old"),
  newerThan: Flags.duration("newer-than", "Only letters at most this old")
}

type Filters = { readonly [K in keyof typeof filters]: (typeof filters)[K] extends Flag.Flag<infer A> ? A : never }

const filterOf = ({ error, newerThan, olderThan, reason, type }: Filters): DeadLetter.Filter =>
  Flags.given({ actionType: type, reason, errorType: error, olderThan, newerThan })

const isEmpty = (filter: DeadLetter.Filter): boolean => Object.keys(filter).length === 0

const layer = Layer.unwrap(Effect.map(service, (service) => DeadLetter.layerOptions({ service }))).pipe(
  Layer.provide(connection)
)

const columns = (now: DateTime.Utc): ReadonlyArray<Column<DeadLetter.Letter>> => [
  { title: "letter", cell: ({ id }) => text(id) },
  { title: "age", cell: ({ time }) => relative(time, now), rank: 3 },
  { title: "reason", cell: ({ reason }) => reason, paint: (_, text, style) => style.bad(text) },
  { title: "type", cell: ({ actionType }) => text(actionType), cut: true },
  { title: "error", cell: ({ errorType, message }) => `${text(errorType)}: ${text(message)}`, cut: true },
  { title: "attempts", cell: ({ attempts }) => number(attempts), align: "right", rank: 4 },
  { title: "action id", cell: ({ actionId }) => text(actionId), rank: 5 }
]

const ls = Command.make("ls", {
  ...filters,
  limit: Flags.limit(20, "The maximum number of letters. Default: 20"),
  cursor: Flags.optionalText("cursor", "text", "Go on where the previous page ended"),
  newest: Flags.flag("newest", "The newest first. Default: the oldest first")
}, ({ cursor, limit, newest, ...rest }) =>
  Effect.gen(function*() {
    const letters = yield* DeadLetter.DeadLetter
    const page = yield* letters.list({
      ...filterOf(rest),
      ...Flags.given({ cursor }),
      limit,
      order: newest ? "newest" : "oldest"
    })
    const now = yield* DateTime.now
    yield* show(page, (_, screen) =>
      page.letters.length === 0 ? ["There are no dead letters that match."] : screen.table(page.letters, columns(now)))
    if (page.cursor !== undefined) {
      yield* note(`There are more: --cursor "${safe(page.cursor)}"`)
    }
  }).pipe(Effect.provide(layer))).pipe(
    Command.withDescription("List dead letters, without their payloads"),
    Command.withExamples([
      { command: "redis-workers dead ls -s payment --newest", description: "The latest failures" },
      { command: "redis-workers dead ls -s payment --error GatewayDown --newer-than 1h" }
    ])
  )

const groupColumns = (now: DateTime.Utc): ReadonlyArray<Column<DeadLetter.SummaryGroup>> => [
  { title: "count", cell: ({ count }) => number(count), align: "right" },
  { title: "reason", cell: ({ reason }) => reason, paint: (_, text, style) => style.bad(text) },
  { title: "type", cell: ({ actionType }) => text(actionType), cut: true },
  { title: "error", cell: ({ errorType }) => text(errorType), cut: true },
  { title: "oldest", cell: ({ oldest }) => relative(oldest, now), rank: 2 },
  { title: "newest", cell: ({ newest }) => relative(newest, now), rank: 1 }
]

const groups = Command.make("groups", filters, (flags) =>
  Effect.gen(function*() {
    const summary = yield* DeadLetter.DeadLetter.use((letters) => letters.summary(filterOf(flags)))
    const now = yield* DateTime.now
    yield* show({ total: summary.total, groups: summary.groups }, (_, screen) =>
      summary.total === 0
        ? ["There are no dead letters that match."]
        : [...screen.table(summary.groups, groupColumns(now)), "", `${count(summary.total, "dead letter")} in all`])
  }).pipe(Effect.provide(layer))).pipe(
    Command.withDescription("Count dead letters by reason, type and error"),
    Command.withExamples([{
      command: "redis-workers dead groups -s payment",
      description: "What fails, and how often"
    }])
  )

const letterId = Argument.String("letter").pipe(Argument.withDescription("The id of the letter, as ls prints it"))

/** Everything but the payload. */
const notes = (letter: DeadLetter.Details) => {
  const { action, answer, binary: _, data, entry: __, undeliverable, ...rest } = letter
  return { rest, action, answer, data, undeliverable }
}

const show_ = Command.make(
  "show",
  { letter: letterId, payload: Flags.payload },
  ({ letter, payload }) =>
    Effect.gen(function*() {
      const details = yield* DeadLetter.DeadLetter.use((letters) => letters.inspect(letter))
      const { action, answer, data, rest, undeliverable } = notes(details)
      const correlationId = Result.isSuccess(action) ? action.success.correlation_id ?? undefined : undefined
      const traceId = Result.isSuccess(action) ? action.success.trace_id ?? undefined : undefined
      const value = { ...rest, correlationId, traceId, undeliverable, ...(payload ? { payload: data, answer } : {}) }
      const now = yield* DateTime.now
      yield* show(value, (_, { style }) =>
        pairs([
          ["letter", text(rest.id)],
          ["written", `${time(rest.time)} (${relative(rest.time, now)})`],
          ["reason", style.bad(rest.reason)],
          ["type", text(rest.actionType)],
          ["action id", text(rest.actionId)],
          ["error", `${text(rest.errorType)}${rest.errorCode === undefined ? "" : ` (${safe(rest.errorCode)})`}`],
          ["message", text(rest.message)],
          [
            "attempts",
            `${rest.attempts}, delivered ${count(rest.deliveries, "time")}, replayed ${count(rest.hops, "time")}`
          ],
          ["entry", text(rest.entryId)],
          ["consumer", `${text(rest.consumer)} of ${text(rest.group)}`],
          ["correlation id", text(correlationId)],
          ["trace id", text(traceId)],
          ["size", `${number(rest.size)} bytes in ${count(rest.fields, "field")}`],
          ...(undeliverable === undefined ? [] : [["undeliverable", text(undeliverable)] as const]),
          ...(payload ? [["payload", text(data)] as const, ["answer", text(answer)] as const] : [])
        ], style))
      if (!payload) yield* note("The payload is hidden: --payload shows it")
    }).pipe(Effect.provide(layer))
).pipe(
  Command.withDescription("Show one dead letter: why it is here, and with --payload what it holds"),
  Command.withExamples([{ command: "redis-workers dead show 1764525600000-0 -s payment --payload" }])
)

const dryRunColumns: ReadonlyArray<Column<DeadLetter.DryRunGroup>> = [
  { title: "count", cell: ({ count }) => number(count), align: "right" },
  { title: "reason", cell: ({ reason }) => reason, paint: (_, text, style) => style.bad(text) },
  { title: "type", cell: ({ actionType }) => text(actionType), cut: true },
  { title: "issue", cell: ({ issue }) => text(issue), cut: true },
  { title: "first letter", cell: ({ letters }) => text(letters[0]), rank: 1 }
]

const dryRun = Command.make("dry-run", filters, (flags) =>
  Effect.gen(function*() {
    const group = yield* contracts
    if (group === undefined) return yield* invalid("A dry run needs contracts: pass --contracts <file>")
    const letters = yield* DeadLetter.DeadLetter
    // SAFETY: contracts of a file need no services that this tool could give.
    const result = yield* letters.dryRun(group, filterOf(flags)) as Effect.Effect<DeadLetter.DryRun>
    yield* show(result, (_, screen) => [
      `${count(result.checked, "letter")} checked: ${number(result.passing)} would reach ${
        result.passing === 1 ? "its handler" : "their handlers"
      }, ${number(result.checked - result.passing)} would fail again`,
      ...(result.failing.length === 0 ? [] : ["", ...screen.table(result.failing, dryRunColumns)])
    ])
    if (result.failing.length > 0) return yield* notDone("Some letters would fail again. Nothing was changed")
  }).pipe(Effect.provide(layer))).pipe(
    Command.withDescription(
      "Check dead letters against the contracts: which would fail again. Runs nothing. Status 1 if some would"
    ),
    Command.withExamples([{ command: "redis-workers dead dry-run -s payment --contracts ./src/contracts.ts" }])
  )

const optionalLetter = Argument.String("letter").pipe(
  Argument.withDescription("The id of one letter. Without it, the filters select"),
  Argument.optional
)

const all = Flags.flag("all", "All dead letters, where no filter is given")

/** How many letters match; ends the command if the selection is empty or was forgotten. */
const selected = Effect.fnUntraced(function*(flags: Filters, all: boolean) {
  const filter = filterOf(flags)
  if (isEmpty(filter) && !all) {
    return yield* invalid("Which letters? Give the id of one, a filter such as --type, or --all")
  }
  const matched = yield* DeadLetter.DeadLetter.use((letters) => letters.count(filter))
  if (matched === 0) return yield* notDone("No dead letter matches. Nothing was done")
  return { filter, matched }
})

const force = Flags.flag("force", "Replay letters that were replayed too often before")

const replay = Command.make("replay", {
  letter: optionalLetter,
  ...filters,
  all,
  force,
  rate: Flag.Int("rate").pipe(
    Flag.withMetavar("count"),
    Flag.withDescription("The maximum number of letters a second. Default: no limit"),
    Flag.optional
  ),
  limit: Flag.Int("limit").pipe(
    Flag.withAlias("n"),
    Flag.withMetavar("count"),
    Flag.withDescription("The maximum number of letters. Default: all that match"),
    Flag.optional
  ),
  dryRun: Flags.dryRun,
  yes: Flags.yes
}, ({ all, dryRun, force, letter, limit, rate, yes, ...flags }) =>
  Effect.gen(function*() {
    const letters = yield* DeadLetter.DeadLetter
    if (Option.isSome(letter)) {
      const { actionType, id } = yield* letters.inspect(letter.value)
      const entryId = dryRun ? undefined : yield* letters.replay(id, { force })
      return yield* show(
        { dryRun, matched: 1, replayed: dryRun ? 0 : 1, missing: 0, refused: 0, entryId },
        () => [
          dryRun
            ? `${text(actionType)} (letter ${safe(id)}) would be replayed. Nothing was done.`
            : `${text(actionType)} is replayed as entry ${text(entryId)}.`
        ]
      )
    }
    const { filter, matched } = yield* selected(flags, all)
    if (dryRun) {
      return yield* show(
        { dryRun, matched, replayed: 0, missing: 0, refused: 0, entryId: undefined },
        () => [`${count(matched, "letter")} would be replayed. Nothing was done.`]
      )
    }
    yield* confirm(`Replay ${count(matched, "dead letter")}? Their handlers run again.`, yes)
    const report = yield* letters.replayMany(filter, { force, ...Flags.given({ ratePerSecond: rate, limit }) })
    const { missing, refusals, refused, replayed } = report
    yield* show({ dryRun, matched, replayed, missing, refused, entryId: undefined }, () => [
      `${count(replayed, "letter")} replayed` +
      (missing === 0 ? "" : `, ${number(missing)} gone meanwhile`) +
      (refused === 0 ? "" : `, ${number(refused)} refused`),
      ...refusals.slice(0, 5).map(({ message }) => `  ${safe(message)}`)
    ])
    if (replayed === 0) return yield* notDone("Nothing was replayed")
  }).pipe(Effect.provide(layer))).pipe(
    Command.withDescription("Run dead letters again: one, or all that match"),
    Command.withExamples([
      { command: "redis-workers dead replay 1764525600000-0 -s payment", description: "One letter" },
      {
        command: "redis-workers dead replay -s payment --error GatewayDown --rate 50 --yes",
        description: "All that failed with an error, 50 a second"
      }
    ])
  )

const discard = Command.make("discard", {
  letter: optionalLetter,
  ...filters,
  all,
  limit: Flag.Int("limit").pipe(
    Flag.withAlias("n"),
    Flag.withMetavar("count"),
    Flag.withDescription("The maximum number of letters. Default: all that match"),
    Flag.optional
  ),
  dryRun: Flags.dryRun,
  yes: Flags.yes
}, ({ all, dryRun, letter, limit, yes, ...flags }) =>
  Effect.gen(function*() {
    const letters = yield* DeadLetter.DeadLetter
    if (Option.isSome(letter)) {
      const { actionType, id } = yield* letters.inspect(letter.value)
      if (!dryRun) {
        yield* confirm(`Discard ${text(actionType)} (letter ${safe(id)}) for good?`, yes)
        yield* letters.discard(id)
      }
      return yield* show({ dryRun, matched: 1, discarded: dryRun ? 0 : 1 }, () => [
        dryRun ? `${text(actionType)} would be discarded. Nothing was done.` : `${text(actionType)} is discarded.`
      ])
    }
    const { filter, matched } = yield* selected(flags, all)
    if (dryRun) {
      return yield* show({ dryRun, matched, discarded: 0 }, () => [
        `${count(matched, "letter")} would be discarded. Nothing was done.`
      ])
    }
    yield* confirm(`Discard ${count(matched, "dead letter")} for good?`, yes)
    const discarded = yield* letters.discardMany(filter, Flags.given({ limit }))
    yield* show({ dryRun, matched, discarded }, () => [`${count(discarded, "letter")} discarded.`])
    if (discarded === 0) return yield* notDone("Nothing was discarded: the letters are gone already")
  }).pipe(Effect.provide(layer))).pipe(
    Command.withDescription("Remove dead letters for good: one, or all that match"),
    Command.withExamples([
      { command: "redis-workers dead discard -s payment --older-than 30d --dry-run", description: "How many would go" },
      { command: "redis-workers dead discard -s payment --older-than 30d --yes" }
    ])
  )

const redeliver = Command.make("redeliver", {
  letter: Argument.String("letter").pipe(Argument.withDescription("The id of the dead letter")),
  dryRun: Flags.dryRun
}, ({ dryRun, letter }) =>
  Effect.gen(function*() {
    const letters = yield* DeadLetter.DeadLetter
    const { actionType, answer, id } = yield* letters.inspect(letter)
    if (answer === undefined) {
      return yield* notDone(`The dead letter ${safe(id)} keeps no answer. Run its action again with dead replay`)
    }
    if (dryRun) {
      return yield* show({ dryRun, letter: id }, () => [
        `The answer of ${text(actionType)} would be sent. Nothing was done.`
      ])
    }
    const left = yield* letters.redeliver(id)
    yield* show({ dryRun, letter: left.letter }, () => [
      `The answer of ${text(actionType)} is sent.${
        left.letter === undefined ? "" : ` The rest of the letter is ${left.letter} now.`
      }`
    ])
  }).pipe(Effect.provide(layer))).pipe(
    Command.withDescription("Send the answer that a dead letter keeps. Its action does not run again"),
    Command.withExamples([{ command: "redis-workers dead redeliver 1764525600000-0 -s payment" }])
  )

export const dead = Command.make("dead").pipe(
  Command.withDescription("Look at dead letters, run them again or discard them"),
  Command.withSubcommands([ls, groups, show_, dryRun, replay, redeliver, discard])
)
