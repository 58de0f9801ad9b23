/**
 * Runs a schedule in a world, lets the faults end and time pass, and says what does not hold.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as EffectSchedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { RetryLater } from "../../src/HandlerError.ts"
import { type Call, type Letter, violations } from "./modelCheck.ts"
import type { Ending, Schedule, Step } from "./modelSchedule.ts"
import * as Model from "./modelWorld.ts"

const workerOptions = {
  block: 700,
  claimIdle: Model.claimIdle,
  handlerTimeout: 6_000,
  maxAttempts: 4,
  retry: EffectSchedule.exponential(200)
}

const idOf = (key: string): string => `00000000-0000-4000-8000-${key.slice(1).padStart(12, "0")}`

const endAs = (ending: Ending, job: Model.Job): Effect.Effect<Model.Result, Model.Refused | RetryLater> => {
  switch (ending.as) {
    case "success":
      return Effect.succeed(Model.resultOf(job))
    case "refused":
      return Effect.fail(new Model.Refused({ key: job.key }))
    case "later":
      return Effect.fail(ending.after % 2 === 0 ? new RetryLater() : new RetryLater({ after: 1 }))
    case "defect":
      return Effect.die(new Error("planned"))
    case "never":
      return Effect.never
  }
}

/** Runs a schedule and returns what did not hold. */
export const run = Effect.fnUntraced(function*(schedule: Schedule) {
  const plans = new Map<string, ReadonlyArray<Ending>>()
  const handle: Model.Handle = (job) => {
    const ending = plans.get(job.key)?.[job.delivery.attempt - 1] ?? { as: "success", after: 0, stubborn: false }
    const end = endAs(ending, job)
    const delayed = ending.after === 0 ? end : Effect.delay(end, ending.after)
    return ending.stubborn && ending.as !== "never" ? Effect.uninterruptible(delayed) : delayed
  }
  const world = yield* Model.makeWorld(handle)
  const senders = yield* world.makeSender({ seed: schedule.seed })
  const processes: Array<Model.Process> = []
  const calls: Array<Call> = []
  const asked = new Map<string, string>()

  const alive = () => processes.filter((process) => process.state() === "starting" || process.state() === "running")
  const pick = (which: number): Model.Process | undefined => {
    const some = alive()
    return some[which % Math.max(1, some.length)]
  }

  const call = (key: string, how: Call["how"], effect: Effect.Effect<unknown, unknown>) => {
    const made: Call = { key, how, exit: undefined }
    calls.push(made)
    return Effect.forkScoped(Effect.onExit(effect, (exit) =>
      Effect.sync(() => {
        made.exit = exit
      })))
  }

  const send = (step: Extract<Step, { _tag: "Send" }>) => {
    const { key, repeats } = step
    const actionId = idOf(key)
    const payload = { key }
    const { client } = senders
    plans.set(key, step.plan)
    switch (step.how) {
      case "fire":
        return call(key, "fire", Effect.retry(client.send(Model.Do, payload, { actionId }), { times: repeats }))
      case "ask":
        asked.set(key, actionId)
        return call(key, "fire", Effect.retry(world.ask(senders.redis, key, actionId), { times: repeats }))
      case "request":
        return call(key, "request", client.request(Model.Do, payload, { actionId, timeout: step.timeout }))
      case "callback":
      case "callbackToStream":
        return call(
          key,
          "callback",
          Effect.retry(
            client.sendWithCallback(Model.Do, payload, {
              actionId,
              callback: { action: Model.Done, to: step.how === "callback" ? "list" : "stream" }
            }),
            { times: repeats }
          )
        )
    }
  }

  const start = (consumers: number, skew: number) =>
    Effect.map(
      world.start(`p${processes.length}`, {
        seed: schedule.seed + processes.length,
        skew,
        worker: { ...workerOptions, consumers }
      }),
      (process) => {
        processes.push(process)
      }
    )

  const take = (step: Step): Effect.Effect<unknown, unknown, Scope.Scope> => {
    switch (step._tag) {
      case "Send":
        return send(step)
      case "Start":
        return alive().length < 3 ? start(step.consumers, step.skew) : Effect.void
      case "Crash":
        return pick(step.which)?.crash ?? Effect.void
      case "Stop":
        return pick(step.which)?.stop ?? Effect.void
      case "Cut": {
        const process = pick(step.which)
        return process === undefined ? Effect.void : Effect.andThen(
          process.faults.cut,
          Effect.forkScoped(Effect.delay(
            Effect.suspend(() => process.state() === "crashed" ? Effect.void : process.faults.restore),
            step.millis
          ))
        )
      }
      case "Jump":
        pick(step.which)?.setClock(step.skew)
        return Effect.void
      case "Faults": {
        const faults = step.which === "senders" ? senders.faults : pick(step.which)?.faults
        return faults === undefined ? Effect.void : faults.random(step.policy ?? {})
      }
      case "Forget":
        return step.what === "everything"
          ? world.restart
          : step.what === "group"
          ? world.destroyGroup
          : world.admin.send("SCRIPT", "FLUSH")
      case "Pass":
        return TestClock.adjust(step.millis)
    }
  }

  for (const step of schedule.steps) yield* take(step)

  // The faults end; what is alive goes on, and there is at least one.
  yield* senders.faults.clear
  for (const process of processes) if (process.state() !== "crashed") yield* process.faults.clear
  yield* start(1, 0)

  const busy = Effect.gen(function*() {
    if (calls.some((made) => made.exit === undefined)) return true
    const [length, callbacks] = [
      yield* world.admin.send<number>("XLEN", world.names.stream),
      yield* world.admin.send<number>("LLEN", world.callbacks)
    ]
    return length > 0 || callbacks > 0
  }).pipe(Effect.orDie)
  let passed = 0
  for (; passed < 120_000 && (yield* busy); passed += 250) yield* TestClock.adjust(250)
  // Long enough for a second answer, or a run that should not be.
  yield* TestClock.adjust(2 * Model.claimIdle)

  const left: Array<string> = []
  if (passed >= 120_000) left.push(`not at rest after 120 s: ${JSON.stringify(yield* world.pending)}`)
  if ((yield* world.admin.send<number>("EXISTS", world.names.retryDue)) > 0) left.push("due times are left over")
  if ((yield* world.admin.send<number>("EXISTS", world.names.retryRecords)) > 0) left.push("records are left over")
  for (const process of alive()) {
    const status = yield* (process.worker()?.status ?? Effect.undefined)
    if (status?.state !== "running") left.push(`the worker ${process.name} is ${status?.state ?? "not there"}`)
    for (const consumer of status?.consumers ?? []) {
      const { held, running, unwritten } = consumer
      if (held + running + unwritten > 0) {
        left.push(`${consumer.name} holds ${held}, runs ${running}, ${unwritten} unwritten`)
      }
    }
  }
  const letters = (yield* world.admin.send<ReadonlyArray<[string, ReadonlyArray<string>]>>(
    "XRANGE",
    world.names.deadLetters,
    "-",
    "+"
  )).map(([, fields]): Letter => ({
    entryId: fields[fields.indexOf("entry_id") + 1] ?? "",
    reason: fields[fields.indexOf("reason") + 1] ?? "",
    fields
  }))
  const answers = new Map<string, { readonly id: string; readonly answers: ReadonlyArray<string> }>()
  for (const [key, id] of asked) answers.set(key, { id, answers: yield* world.answersIn(world.listOf(id)) })
  const now = yield* Clock.currentTimeMillis
  for (const process of alive()) yield* process.crash
  return { violations: violations(world, { calls, asked: answers, letters, left, now }), world }
})
