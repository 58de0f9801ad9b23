/** What else changes one action: `retry-now`, `reschedule` and `bury`. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Inspector from "../../Inspector.ts"
import { invalid, notDone } from "../failure.ts"
import * as Flags from "../flags.ts"
import { inspector, target, targetOf, targetType } from "../inspecting.ts"
import { show } from "../screen.ts"
import { text, time } from "../text.ts"

const common = { target, type: targetType, dryRun: Flags.dryRun }

/** The action as it is now. */
const found = Effect.fnUntraced(function*(given: string, type: Option.Option<string>) {
  const inspector = yield* Inspector.Inspector
  const wanted = yield* targetOf(given, type)
  const { entry } = yield* inspector.find(wanted)
  if (entry === undefined) {
    return yield* notDone("There is no such action: it has ended, or the id is wrong. Nothing was done")
  }
  return { inspector, wanted, entry }
})

const isIn = (entry: Inspector.Entry, states: ReadonlyArray<Inspector.State>): boolean => states.includes(entry.state)

/** The end of a dry run: what would be done, or that it cannot be. */
const dryly = (
  service: string,
  entry: Inspector.Entry,
  verb: string,
  states: ReadonlyArray<Inspector.State>
) =>
  show({ dryRun: true, service, state: entry.state, id: entry.actionId, possible: isIn(entry, states) }, () => [
    `${text(entry.actionType)} is ${entry.state}${
      isIn(entry, states) ? ` and would be ${verb}` : `, so it cannot be ${verb}`
    }. Nothing was done.`
  ])

export const retryNow = Command.make("retry-now", common, ({ dryRun, target, type }) =>
  Effect.gen(function*() {
    const { entry, inspector, wanted } = yield* found(target, type)
    if (dryRun) return yield* dryly(wanted.service, entry, "run now", ["retrying", "scheduled"])
    yield* inspector.retryNow(wanted)
    yield* show({ dryRun, service: wanted.service, state: entry.state, id: entry.actionId }, () => [
      `${text(entry.actionType)} was ${entry.state} and is due now.`
    ])
  }).pipe(Effect.provide(inspector))).pipe(
    Command.withDescription(
      "Make an action due now that waits for a retry or is parked. Status 1 if it runs or has ended"
    ),
    Command.withExamples([{ command: "redis-workers retry-now 1764525600000-0 -s payment" }])
  )

export const reschedule = Command.make("reschedule", {
  ...common,
  in: Flags.duration("in", "From now on, such as 2h"),
  at: Flags.moment("at", "At this time").pipe(Flag.optional)
}, ({ at, dryRun, in: delay, target, type }) =>
  Effect.gen(function*() {
    const when = Option.isSome(delay) && Option.isNone(at)
      ? { delay: delay.value }
      : Option.isSome(at) && Option.isNone(delay)
      ? { at: at.value }
      : yield* invalid("When? Give either --in, such as --in 2h, or --at with a date")
    const { entry, inspector, wanted } = yield* found(target, type)
    if (dryRun) return yield* dryly(wanted.service, entry, "rescheduled", ["scheduled"])
    const dueAt = yield* inspector.reschedule(wanted, when)
    yield* show({ dryRun, service: wanted.service, id: entry.actionId, dueAt }, () => [
      `${text(entry.actionType)} is due at ${time(dueAt)}.`
    ])
  }).pipe(Effect.provide(inspector))).pipe(
    Command.withDescription("Give a parked action another due time. Status 1 if it is not parked any more"),
    Command.withExamples([
      { command: "redis-workers reschedule 3f0c1b9e-6f0a-4d8e-9a53-2b1f6f0a77aa -s mail --in 2h" },
      { command: "redis-workers reschedule order-7 --type mail.send -s mail --at 2026-12-24T08:00:00Z" }
    ])
  )

export const bury = Command.make("bury", {
  ...common,
  reason: Flags.optionalText("reason", "text", "Why. The dead letter keeps it")
}, ({ dryRun, reason, target, type }) =>
  Effect.gen(function*() {
    const { entry, inspector, wanted } = yield* found(target, type)
    if (dryRun) return yield* dryly(wanted.service, entry, "buried", ["waiting", "retrying", "scheduled"])
    const letter = yield* inspector.bury(wanted, Flags.given({ reason }))
    yield* show({ dryRun, service: wanted.service, from: entry.state, id: entry.actionId, letter }, () => [
      `${text(entry.actionType)} was ${entry.state} and is the dead letter ${letter}. Run it again with dead replay.`
    ])
  }).pipe(Effect.provide(inspector))).pipe(
    Command.withDescription(
      "Make an action that does not run a dead letter, to replay it later. Status 1 if it runs or has ended"
    ),
    Command.withExamples([{
      command: "redis-workers bury 1764525600000-0 -s payment --reason \"waits for a decision\""
    }])
  )
