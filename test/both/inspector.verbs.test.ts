/** What each verb of the inspector does, and what it refuses: what runs, what ended meanwhile, and what is somewhere else. */
import { assert } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import { RetryLater } from "../../src/HandlerError.ts"
import * as Inspector from "../../src/Inspector.ts"
import * as Lanes from "../../src/Lanes.ts"
import { Redis } from "../../src/Redis.ts"
import * as Worker from "../../src/Worker.ts"
import { entriesOf, eventually, onBoth, pendingOf, Place, send } from "../support/layers.ts"

const Greet = Action.make("user.greet", { payload: { name: Schema.String } })
const Step = Action.make("user.step", { payload: { name: Schema.String } }).pipe(Action.lane(() => "one"))
const Halting = Action.make("user.halt", { payload: { name: Schema.String } }).pipe(
  Action.lane(() => "one", { onGiveUp: "halt" })
)
const Actions = ActionGroup.make(Greet, Step, Halting)

type Service = Inspector.Inspector["Service"]

type Verb = (
  inspector: Service,
  target: Inspector.Target
) => Effect.Effect<unknown, { readonly _tag: string; readonly message: string }>

/** Every verb on one action. */
const verbs: { readonly [name in "cancel" | "retryNow" | "bury" | "reschedule"]: Verb } = {
  cancel: (inspector: Service, target: Inspector.Target) => inspector.cancel(target),
  retryNow: (inspector: Service, target: Inspector.Target) => inspector.retryNow(target),
  bury: (inspector: Service, target: Inspector.Target) => inspector.bury(target),
  reschedule: (inspector: Service, target: Inspector.Target) => inspector.reschedule(target, { delay: "1 hour" })
}

const failures = (inspector: Service, target: Inspector.Target) =>
  Effect.forEach(
    Object.entries(verbs),
    ([name, verb]) => Effect.map(Effect.flip(verb(inspector, target)), ({ _tag }) => [name, _tag] as const)
  )

const start = Effect.gen(function*() {
  const ran: Array<string> = []
  const go = yield* Deferred.make<void>()
  const handler = ({ name }: { readonly name: string }) =>
    Effect.suspend(() => {
      ran.push(name)
      if (name === "held") return Deferred.await(go)
      return name === "fails" ? Effect.fail(new RetryLater({ after: "1 hour" })) : Effect.void
    })
  const worker = yield* Worker.start(
    Actions.handlers({ "user.greet": handler, "user.step": handler, "user.halt": handler }),
    { block: "200 millis", shutdownGrace: 0 }
  )
  const { send } = yield* ActionClient.make()
  const inspector = yield* Inspector.make()
  return { go, inspector, ran, send, worker }
})

onBoth("Verbs on one action", (test) => {
  test("say of an action that runs that it runs and who has it, and leave it alone", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const { go, inspector, ran, send } = yield* start
      const held = yield* send(Greet, { name: "held" })
      yield* eventually("it runs", Effect.sync(() => ran.length === 1))
      assert.deepStrictEqual(yield* failures(inspector, held), [
        ["cancel", "Running"],
        ["retryNow", "Running"],
        ["bury", "Running"],
        ["reschedule", "WrongState"]
      ])
      const error = yield* Effect.flip(inspector.cancel(held))
      assert.match(error.message, /held by user-worker-.* and runs/)
      yield* Deferred.succeed(go, undefined)
      yield* eventually("it ended", Effect.map(pendingOf(names), (rows) => rows.length === 0))
      assert.deepStrictEqual(ran, ["held"])
    }))

  test("say of an action that ended that it is not there, by receipt, entry id and action id", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const { inspector, ran, send } = yield* start
      const done = yield* send(Greet, { name: "a" })
      yield* eventually("it ran", Effect.sync(() => ran.length === 1))
      yield* eventually("it ended", Effect.map(entriesOf(names.stream), (rows) => rows.length === 0))
      const entryId = done._tag === "Sent" ? done.entryId : ""
      for (
        const target of [done, { service: "user", entryId }, { service: "user", actionId: done.actionId.toUpperCase() }]
      ) {
        const found = yield* failures(inspector, target)
        assert.deepStrictEqual(found.map(([, tag]) => tag), Array.from(found, () => "ActionNotFound"))
      }
      assert.match((yield* Effect.flip(inspector.cancel(done))).message, /it ended before, or the id is wrong/)
    }))

  test("say of a dead letter that it is one, and which", () =>
    Effect.gen(function*() {
      const { inspector, ran, send } = yield* start
      const failing = yield* send(Greet, { name: "fails" })
      yield* eventually("it failed", Effect.sync(() => ran.length === 1))
      yield* eventually("it waits", Effect.map(inspector.overview("user"), ({ running }) => running === 0))
      const letter = yield* inspector.bury(failing)
      const found = yield* failures(inspector, failing)
      assert.deepStrictEqual(found.map(([, tag]) => tag), Array.from(found, () => "WrongState"))
      assert.include((yield* Effect.flip(inspector.retryNow(failing))).message, letter)
    }))

  test("refuse a state that they mean nothing for, and say which they need", () =>
    Effect.gen(function*() {
      const { inspector, send, worker } = yield* start
      yield* worker.drain
      const waiting = yield* send(Greet, { name: "a" })
      const retry = yield* Effect.flip(inspector.retryNow(waiting))
      assert.strictEqual(retry._tag, "WrongState")
      assert.include(retry.message, "it is waiting, and must be retrying or scheduled")
      assert.include(
        (yield* Effect.flip(inspector.reschedule(waiting, { delay: "1 hour" }))).message,
        "it is waiting, and must be scheduled"
      )
      assert.strictEqual((yield* inspector.find(waiting)).entry?.state, "waiting")
    }))

  test("leave alone an entry that another group may still need", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const { inspector, send: sendAction, worker } = yield* start
      yield* worker.drain
      yield* send("XGROUP", "CREATE", names.stream, "audit", "0")
      const waiting = yield* sendAction(Greet, { name: "a" })
      const error = yield* Effect.flip(inspector.cancel(waiting))
      assert.strictEqual(error._tag, "WrongState")
      assert.include(error.message, "several groups")
      assert.strictEqual((yield* entriesOf(names.stream)).length, 1)
    }))

  test("refuse a receipt of another environment, and one of another prefix", () =>
    Effect.gen(function*() {
      const { inspector, send } = yield* start
      const receipt = yield* send(Greet, { name: "held" })
      for (const stream of ["nooble4:other:user:streams:main", "mine:dev:user:streams:main"]) {
        const found = yield* failures(inspector, { ...receipt, stream })
        assert.deepStrictEqual(found.map(([, tag]) => tag), Array.from(found, () => "OtherEnvironment"))
        const error = yield* Effect.flip(inspector.find({ ...receipt, stream }))
        assert.strictEqual(error._tag, "OtherEnvironment")
        assert.include(error.message, stream)
      }
    }))

  test("suggest the name of a service that does not exist, for reads and verbs alike", () =>
    Effect.gen(function*() {
      const inspector = yield* Inspector.make({ services: ["user", "payment"] })
      const service = "paymet"
      const attempts: ReadonlyArray<Effect.Effect<unknown, { readonly _tag: string; readonly message: string }>> = [
        inspector.overview(service),
        inspector.list(service, "dead"),
        inspector.find({ service, entryId: "1-1" }),
        inspector.deadLetters(service),
        inspector.statistics(service),
        inspector.schedules(service),
        inspector.pauses(service),
        inspector.pause(service),
        inspector.resume(service),
        inspector.cancel({ service, entryId: "1-1" }),
        inspector.retryNow({ service, entryId: "1-1" }),
        inspector.bury({ service, entryId: "1-1" }),
        inspector.purge(service, { state: "waiting" }),
        inspector.replayMany(service, {}),
        inspector.discardMany(service, {}),
        inspector.trigger(service, "a")
      ]
      for (const attempt of attempts) {
        const error = yield* Effect.flip(attempt)
        assert.strictEqual(error._tag, "ServiceNotFound")
        assert.include(error.message, "Did you mean \"payment\"?")
      }
    }))

  test("are refused if the action ends between the look and the change, and change nothing", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const { send: sendAction, worker } = yield* start
      yield* worker.drain
      const redis = yield* Redis
      /** Ends the action before the script of a verb runs: after two looks, at the service and at the action. */
      const ending = (end: Effect.Effect<unknown, unknown>) => {
        let calls = 0
        return Redis.of({
          ...redis,
          eval: (script) => {
            const run = redis.eval(script)
            return (...params) =>
              Effect.suspend(() => ++calls === 2 ? Effect.andThen(Effect.orDie(end), run(...params)) : run(...params))
          }
        })
      }
      for (const verb of ["cancel", "bury"] as const) {
        const receipt = yield* sendAction(Greet, { name: "a" })
        const end = send("XDEL", names.stream, receipt._tag === "Sent" ? receipt.entryId : "")
        const inspector = yield* Inspector.make().pipe(
          Effect.provideService(Redis, ending(Effect.provideService(end, Redis, redis)))
        )
        assert.strictEqual((yield* Effect.flip(verbs[verb](inspector, receipt)))._tag, "ActionNotFound")
      }
      assert.strictEqual(yield* send("XLEN", names.deadLetters), 0)
    }))
})

onBoth("reschedule and retryNow", (test) => {
  test("give a parked action another time, which is in the future, or now", () =>
    Effect.gen(function*() {
      const { inspector, ran, send } = yield* start
      const parked = yield* send(Greet, { name: "later" }, { delay: "1 hour" })
      const at = yield* inspector.reschedule(parked, { delay: "2 hours" })
      const { entry } = yield* inspector.find(parked)
      assert.deepStrictEqual(entry?.state === "scheduled" ? entry.dueAt : undefined, at)
      const given = DateTime.add(at, { hours: 1 })
      assert.deepStrictEqual(yield* inspector.reschedule(parked, { at: given }), given)
      // A time in the past is now.
      const now = yield* inspector.reschedule(parked, { at: DateTime.makeUnsafe(0) })
      assert.isAbove(DateTime.toEpochMillis(now), 0)
      yield* eventually("it ran", Effect.sync(() => ran.length === 1))
      const other = yield* send(Greet, { name: "other" }, { delay: "1 hour" })
      yield* inspector.retryNow(other)
      yield* eventually("the other ran", Effect.sync(() => ran.length === 2))
    }))

  test("refuse a time that is none before the first command", () =>
    Effect.gen(function*() {
      const { inspector, send } = yield* start
      const parked = yield* send(Greet, { name: "later" }, { delay: "1 hour" })
      const error = yield* Effect.flip(inspector.reschedule(parked, { delay: "soon" as never }))
      assert.strictEqual(error._tag, "InvalidOption")
      assert.strictEqual((yield* inspector.find(parked)).entry?.state, "scheduled")
    }))
})

onBoth("Removing an action that has a place in a lane", (test) => {
  test("halts a lane whose rule says so if it becomes a dead letter", () =>
    Effect.gen(function*() {
      const { inspector, ran, send } = yield* start
      const first = yield* send(Halting, { name: "fails" })
      yield* eventually("it failed", Effect.map(inspector.overview("user"), ({ retrying }) => retrying === 1))
      yield* send(Halting, { name: "second" })
      yield* inspector.bury(first)
      const lanes = yield* Lanes.make()
      assert.deepStrictEqual((yield* lanes.list()).lanes.map(({ state }) => state), ["halted"])
      assert.deepStrictEqual(ran, ["fails"])
    }))

  for (const verb of ["cancel", "bury", "purge"] as const) {
    test(`lets the next of the lane in at once (${verb})`, () =>
      Effect.gen(function*() {
        const { inspector, ran, send } = yield* start
        const first = yield* send(Step, { name: "fails" })
        yield* eventually("it failed", Effect.map(inspector.overview("user"), ({ retrying }) => retrying === 1))
        const second = yield* send(Step, { name: "second" })
        assert.strictEqual(second._tag, "Waiting")
        if (verb === "purge") assert.strictEqual((yield* inspector.purge("user", { state: "retrying" })).removed, 1)
        else yield* verbs[verb](inspector, first)
        yield* eventually("the second ran", Effect.sync(() => ran.includes("second")))
      }))
  }
})

onBoth("purge", (test) => {
  test("removes what is parked or waits for a retry, and leaves what runs", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const { go, inspector, ran, send: sendAction } = yield* start
      yield* sendAction(Greet, { name: "held" })
      yield* sendAction(Greet, { name: "fails" })
      yield* sendAction(Greet, { name: "later" }, { delay: "1 hour" })
      yield* eventually("both started", Effect.sync(() => ran.length === 2))
      yield* eventually("one waits", Effect.map(inspector.overview("user"), ({ running }) => running === 1))
      const steps: Array<Inspector.Progress> = []
      const onProgress = (progress: Inspector.Progress) => Effect.sync(() => void steps.push(progress))
      for (const state of ["retrying", "scheduled", "waiting"] as const) {
        const { complete, removed } = yield* inspector.purge("user", { state }, { onProgress })
        assert.deepStrictEqual([removed, complete], [state === "waiting" ? 0 : 1, true])
      }
      assert.deepStrictEqual(steps.map(({ done }) => done), [1, 1, 0])
      const left = (yield* pendingOf(names)).map(([, consumer]) => consumer)
      assert.strictEqual(left.length, 1)
      yield* Deferred.succeed(go, undefined)
    }))

  test("removes no more than its limit, and says that it is not complete", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const inspector = yield* Inspector.make()
      const { sendMany } = yield* ActionClient.make()
      yield* sendMany(Greet, Array.from({ length: 450 }, () => ({ name: "a" })))
      const { complete, removed } = yield* inspector.purge("user", { state: "waiting" }, { limit: 10 })
      assert.deepStrictEqual([removed, complete], [10, false])
      assert.strictEqual((yield* entriesOf(names.stream)).length, 440)
    }))

  test("changes nothing where nothing matches, by type or age, and refuses an invalid filter", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const inspector = yield* Inspector.make()
      const { send } = yield* ActionClient.make()
      yield* send(Greet, { name: "a" })
      for (const filter of [{ actionType: "user.missing" }, { olderThan: "1 hour" }, { actionType: [] }] as const) {
        assert.deepStrictEqual(
          yield* inspector.purge("user", { state: "waiting", ...filter }),
          { looked: 1, matched: 0, removed: 0, left: 0, complete: true }
        )
      }
      // @ts-expect-error -- a program in JavaScript may give anything
      assert.strictEqual((yield* Effect.flip(inspector.purge("user", { state: "running" })))._tag, "InvalidOption")
      assert.strictEqual((yield* entriesOf(names.stream)).length, 1)
    }))
})
