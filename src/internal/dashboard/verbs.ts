/** What each verb does. */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as DeadLetter from "../../DeadLetter.ts"
import type * as Inspector from "../../Inspector.ts"
import type { LaneLimits } from "../../Lanes.ts"
import { asProblem, type Problem } from "./failures.ts"
import type * as models from "./models.ts"

type Done = typeof models.Done.Type
type Of<V extends models.Verb["verb"]> = Extract<models.Verb, { readonly verb: V }>

/** What a pause is for if the user gives no reason: it says where it came from. */
const unexplained = "dashboard"

const done = (count: number, left = 0, notes: ReadonlyArray<string> = []): Done => ({ done: count, left, notes })

/** A parked action is found by its action id, all others by the id of their entry. */
const targetOf = (service: string, { id, state }: { readonly id: string; readonly state: string }): Inspector.Target =>
  state === "scheduled" || state === "queued" ? { service, actionId: id } : { service, entryId: id }

const filterOf = (
  { actionType, before, errorType, reason }: Of<"replayMatching"> | Of<"discardMatching">
): Effect.Effect<DeadLetter.Filter> =>
  Effect.map(Clock.currentTimeMillis, (now) => ({
    reason,
    actionType,
    errorType,
    olderThan: Duration.millis(Math.max(0, now - DateTime.toEpochMillis(before)))
  }))

/** One after another: a letter that is gone or refused leaves the others as they are. */
const each = <E extends { readonly _tag: string; readonly message: string }>(
  ids: ReadonlyArray<string>,
  one: (id: string) => Effect.Effect<string | void, E>
): Effect.Effect<Done, Problem> =>
  Effect.gen(function*() {
    const notes: Array<string> = []
    const problems: Array<string> = []
    for (const id of ids) {
      yield* one(id).pipe(
        asProblem,
        Effect.map((note) => note === undefined ? undefined : notes.push(note)),
        Effect.catchTags({
          Missing: ({ message }) => Effect.sync(() => problems.push(message)),
          Conflict: ({ message }) => Effect.sync(() => problems.push(message))
        })
      )
    }
    const told = problems.length > 0 ? problems : ids.length === 1 ? notes : []
    return done(ids.length - problems.length, problems.length, told.slice(0, 10))
  })

type Limits = Of<"limitLane">

const limitsOf = ({ concurrency, rate, totalConcurrency }: Limits): LaneLimits | undefined =>
  concurrency === undefined && rate === undefined && totalConcurrency === undefined
    ? undefined
    : { concurrency, rate, ...(totalConcurrency === undefined ? {} : { total: { concurrency: totalConcurrency } }) }

const lanes = (
  inspector: Inspector.Inspector["Service"],
  service: string,
  verb: Of<"pauseLane"> | Of<"resumeLane"> | Limits
): Effect.Effect<Done, Problem> => {
  switch (verb.verb) {
    case "pauseLane":
      return asProblem(Effect.as(inspector.pauseLane(service, { id: verb.lane }, verb.for), done(1)))
    case "resumeLane":
      return asProblem(Effect.map(
        inspector.resumeLane(service, { id: verb.lane }),
        (was) => was ? done(1) : done(0, 1, ["It was open"])
      ))
    case "limitLane":
      return asProblem(Effect.as(inspector.limitLane(service, verb.lane, limitsOf(verb)), done(1)))
  }
}

export const run = (
  inspector: Inspector.Inspector["Service"],
  service: string,
  verb: models.Verb
): Effect.Effect<Done, Problem> => {
  switch (verb.verb) {
    case "pause":
      return asProblem(Effect.as(
        inspector.pause(service, { actionType: verb.actionType, for: verb.for, reason: verb.reason ?? unexplained }),
        done(1)
      ))
    case "resume":
      return asProblem(Effect.map(
        inspector.resume(service, { actionType: verb.actionType }),
        (was) => was ? done(1) : done(0, 1, ["It was not paused"])
      ))
    case "cancel":
      return asProblem(Effect.as(inspector.cancel(targetOf(service, verb)), done(1)))
    case "retryNow":
      return asProblem(Effect.as(inspector.retryNow(targetOf(service, verb)), done(1)))
    case "bury":
      return asProblem(Effect.as(inspector.bury(targetOf(service, verb)), done(1)))
    case "replay":
      return each(verb.ids, (id) => Effect.map(inspector.replay(service, id), (entry) => `Replayed as ${entry}`))
    case "discard":
      return each(verb.ids, (id) => inspector.discard(service, id))
    case "replayMatching":
      return filterOf(verb).pipe(
        Effect.flatMap((filter) =>
          inspector.replayMany(service, filter, { limit: verb.limit, ratePerSecond: verb.ratePerSecond })
        ),
        Effect.map(({ missing, refusals, refused, replayed }) =>
          done(replayed, missing + refused, refusals.slice(0, 10).map(({ message }) => message))
        ),
        asProblem
      )
    case "discardMatching":
      return filterOf(verb).pipe(
        Effect.flatMap((filter) => inspector.discardMany(service, filter, { limit: verb.limit })),
        Effect.map((count) => done(count)),
        asProblem
      )
    case "purge":
      return asProblem(Effect.map(
        inspector.purge(service, { state: verb.state, actionType: verb.actionType }, { limit: verb.limit }),
        ({ left, removed }) => done(removed, left)
      ))
    case "trigger":
      return asProblem(
        Effect.map(inspector.trigger(service, verb.schedule), (id) => done(1, 0, [`Sent the action ${id}`]))
      )
    case "pauseLane":
    case "resumeLane":
    case "limitLane":
      return lanes(inspector, service, verb)
    case "pauseSchedule":
      return asProblem(Effect.as(
        Effect.flatMap(inspector.scheduling(service), ({ pause }) => pause(verb.schedule, verb.reason ?? unexplained)),
        done(1)
      ))
    case "resumeSchedule":
      return asProblem(Effect.as(
        Effect.flatMap(inspector.scheduling(service), ({ resume }) => resume(verb.schedule)),
        done(1)
      ))
  }
}
