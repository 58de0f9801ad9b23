/** `pause`, `resume`, `cancel` and `purge`. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Inspector from "../../Inspector.ts"
import { confirm } from "../confirm.ts"
import { service } from "../connect.ts"
import { notDone } from "../failure.ts"
import * as Flags from "../flags.ts"
import { inspector, target, targetOf, targetType } from "../inspecting.ts"
import { show } from "../screen.ts"
import { count, safe, text, time } from "../text.ts"

const type = Argument.String("type").pipe(
  Argument.withDescription("The action type. Default: the whole service"),
  Argument.optional
)

const what = (service: string, actionType: string | undefined): string =>
  actionType === undefined ? `the service ${safe(service)}` : `${safe(actionType)} of ${safe(service)}`

export const pause = Command.make("pause", {
  type,
  for: Flags.duration("for", "When the pause ends by itself. Default: it lasts until resume"),
  reason: Flags.optionalText("reason", "text", "Why; shown by stats"),
  dryRun: Flags.dryRun
}, ({ dryRun, for: time_, reason, type }) =>
  Effect.gen(function*() {
    const name = yield* service
    const inspector = yield* Inspector.Inspector
    const options = Flags.given({ actionType: type, for: time_, reason })
    if (dryRun) {
      yield* inspector.pauses(name)
      return yield* show({ dryRun, service: name, actionType: options.actionType, until: undefined }, () => [
        `Would pause ${what(name, options.actionType)}. Nothing was done.`
      ])
    }
    const { actionType, until } = yield* inspector.pause(name, options)
    yield* show({ dryRun, service: name, actionType, until }, () => [
      `Paused ${what(name, actionType)} ${until === undefined ? "until it is resumed" : `until ${time(until)}`}.`
    ])
  }).pipe(Effect.provide(inspector))).pipe(
    Command.withDescription("Pause a service or a type for all workers. What runs ends; nothing is lost"),
    Command.withExamples([{
      command: "redis-workers pause payment.charge -s payment --for 10m --reason \"provider is down\""
    }])
  )

export const resume = Command.make(
  "resume",
  { type, dryRun: Flags.dryRun },
  ({ dryRun, type }) =>
    Effect.gen(function*() {
      const name = yield* service
      const inspector = yield* Inspector.Inspector
      const actionType = Option.getOrUndefined(type)
      const paused = dryRun
        ? (yield* inspector.pauses(name)).some((pause) => pause.actionType === actionType)
        : yield* inspector.resume(name, { actionType })
      if (!paused) return yield* notDone(`${what(name, actionType)} is not paused. Nothing was done`)
      yield* show({ dryRun, service: name, actionType }, () => [
        dryRun ? `Would resume ${what(name, actionType)}. Nothing was done.` : `Resumed ${what(name, actionType)}.`
      ])
    }).pipe(Effect.provide(inspector))
).pipe(
  Command.withDescription("End a pause"),
  Command.withExamples([{ command: "redis-workers resume payment.charge -s payment" }])
)

export const cancel = Command.make("cancel", {
  target,
  type: targetType,
  dryRun: Flags.dryRun,
  yes: Flags.yes
}, ({ dryRun, target, type, yes }) =>
  Effect.gen(function*() {
    const inspector = yield* Inspector.Inspector
    const wanted = yield* targetOf(target, type)
    const { entry } = yield* inspector.find(wanted)
    if (entry === undefined) {
      return yield* notDone("There is no such action: it has ended, or the id is wrong. Nothing was done")
    }
    if (dryRun) {
      return yield* show({ dryRun, service: wanted.service, from: entry.state, id: entry.actionId }, () => [
        `${text(entry.actionType)} is ${entry.state}${
          entry.state === "running" || entry.state === "dead"
            ? ", so it cannot be cancelled"
            : " and would be cancelled"
        }. Nothing was done.`
      ])
    }
    yield* confirm(`Cancel ${text(entry.actionType)} (${entry.state})? It leaves no record.`, yes)
    const { from, id } = yield* inspector.cancel(wanted)
    yield* show(
      { dryRun, service: wanted.service, from, id },
      () => [`Cancelled ${text(entry.actionType)}, which was ${from}.`]
    )
  }).pipe(Effect.provide(inspector))).pipe(
    Command.withDescription("Remove an action that does not run. Status 1 if it runs or has ended"),
    Command.withExamples([{ command: "redis-workers cancel 1764525600000-0 -s payment --yes" }])
  )

export const purge = Command.make("purge", {
  state: Argument.Literals("state", ["waiting", "retrying", "scheduled", "queued"]),
  type: Flags.optionalText("type", "type", "Only actions of this type"),
  olderThan: Flags.duration("older-than", "Only actions at least this old"),
  limit: Flag.Int("limit").pipe(
    Flag.withAlias("n"),
    Flag.withMetavar("count"),
    Flag.withDescription("The maximum number of actions. Default: all that match"),
    Flag.optional
  ),
  dryRun: Flags.dryRun,
  yes: Flags.yes
}, ({ dryRun, limit, olderThan, state, type, yes }) =>
  Effect.gen(function*() {
    const name = yield* service
    const inspector = yield* Inspector.Inspector
    const filter = { state, ...Flags.given({ actionType: type, olderThan }) }
    const options = Flags.given({ limit })
    const dry = yield* inspector.purge(name, filter, { ...options, dryRun: true })
    if (dry.matched === 0) return yield* notDone("No action matches. Nothing was done")
    if (!dryRun) yield* confirm(`Remove ${count(dry.matched, `${state} action`)} of ${safe(name)} for good?`, yes)
    const result = dryRun ? dry : yield* inspector.purge(name, filter, options)
    yield* show({ dryRun, service: name, ...result }, () => [
      dryRun
        ? `${count(result.matched, "action")} would be removed. Nothing was done.`
        : `${count(result.removed, "action")} removed${
          result.left === 0 ? "" : `, ${result.left} left because they ran or ended meanwhile`
        }.`
    ])
    if (!dryRun && result.removed === 0) {
      return yield* notDone("Nothing was removed: the actions ran or ended meanwhile")
    }
  }).pipe(Effect.provide(inspector))).pipe(
    Command.withDescription("Remove all actions of a state that match. They leave no record"),
    Command.withExamples([
      {
        command: "redis-workers purge waiting -s mail --type mail.newsletter --dry-run",
        description: "How many would go"
      },
      { command: "redis-workers purge waiting -s mail --type mail.newsletter --yes" }
    ])
  )
