/** What lanes do besides waiting: backlogs, rates, limits of all keys, halts, pauses, and the errors of senders. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as DeadLetter from "../../src/DeadLetter.ts"
import { RetryLater } from "../../src/HandlerError.ts"
import * as Lanes from "../../src/Lanes.ts"
import * as Worker from "../../src/Worker.ts"
import { entriesOf, eventually, onBoth, Place, send } from "../support/layers.ts"

const payload = { key: Schema.String, n: Schema.Number, fails: Schema.optionalKey(Schema.Boolean) }

const contract = (options: Action.LaneOptions) =>
  Action.make("user.step", { payload, success: { n: Schema.Number }, maxAttempts: 1 }).pipe(
    Action.lane(({ key }) => key, options)
  )

/** A worker whose handlers wait until the gate opens. */
const world = Effect.fnUntraced(function*(options: Action.LaneOptions, isOpen = false) {
  const Step = contract(options)
  const events: Array<string> = []
  const gate = Latch.makeUnsafe(isOpen)
  let running = 0
  let most = 0
  let failing = true
  const handlers = ActionGroup.make(Step).handlers({
    "user.step": ({ fails, key, n }) =>
      Effect.gen(function*() {
        events.push(`${key}${n}`)
        running++
        most = Math.max(most, running)
        yield* gate.await
        if (fails === true && failing) return yield* new RetryLater()
        return { n }
      }).pipe(Effect.ensuring(Effect.sync(() => running--)))
  })
  yield* Worker.start(handlers, {
    block: "200 millis",
    claimIdle: "400 millis",
    shutdownGrace: 0,
    concurrency: 20,
    retry: Schedule.spaced("15 millis")
  })
  return {
    Step,
    events,
    gate,
    client: yield* ActionClient.make(),
    lanes: yield* Lanes.make(),
    most: () => most,
    mend: () => {
      failing = false
    }
  }
})

const ran = (events: ReadonlyArray<string>, ...expected: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const { pass } = yield* Place
    yield* eventually(
      `${expected.join(", ")} ran, and not ${events.join(", ")}`,
      Effect.map(pass("5 millis"), () => events.length >= expected.length)
    )
    assert.deepStrictEqual([...events], [...expected])
  })

/** Nothing that could still happen has not happened. */
const calm = Effect.gen(function*() {
  const { pass } = yield* Place
  yield* pass("300 millis")
})

const keysLeft = Effect.gen(function*() {
  const { names } = yield* Place
  return [
    yield* send<number>("ZCARD", names.lanesHeld),
    yield* send<number>("ZCARD", names.lanesWaiting),
    yield* send<number>("HLEN", names.parkedEntries),
    (yield* entriesOf(names.stream)).length
  ]
})

const empty = eventually("nothing is left", Effect.map(keysLeft, (left) => left.every((count) => count === 0)))

onBoth("A lane with a backlog", (test) => {
  test("refuses what is more than its maximum, and names what was not sent", () =>
    Effect.gen(function*() {
      const { Step, client, events, gate } = yield* world({ backlog: { max: 2 } })
      for (const n of [1, 2, 3]) yield* client.send(Step, { key: "a", n })
      const error = yield* Effect.flip(client.sendMany(Step, [{ key: "a", n: 4 }], { actionIds: ["four"] }))
      assert.strictEqual(error._tag, "LaneFull")
      if (error._tag === "LaneFull") assert.lengthOf(error.actionIds, 1)
      yield* client.send(Step, { key: "b", n: 1 })
      gate.openUnsafe()
      yield* empty
      assert.deepStrictEqual(events.toSorted(), ["a1", "a2", "a3", "b1"])
    }))

  test("of the latest lets the newest wait, and answers the one that it replaces", () =>
    Effect.gen(function*() {
      const { Step, client, events, gate } = yield* world({ backlog: "latest" })
      yield* client.send(Step, { key: "a", n: 1 })
      yield* ran(events, "a1")
      yield* client.send(Step, { key: "a", n: 2 })
      const asking = yield* Effect.forkScoped(
        Effect.flip(client.request(Step, { key: "a", n: 3 }, { timeout: "10 seconds" }))
      )
      const { names } = yield* Place
      yield* eventually(
        "the request waits",
        Effect.map(send("HVALS", names.parkedEntries), (all) =>
          JSON.stringify(all).includes("callback_queue_name\\\":\\\""))
      )
      yield* client.send(Step, { key: "a", n: 4 })
      const error = yield* Fiber.join(asking)
      assert.strictEqual(error._tag === "RemoteFailure" ? error.errorCode : error._tag, "ACTION_SUPERSEDED")
      gate.openUnsafe()
      yield* empty
      assert.deepStrictEqual(events, ["a1", "a4"])
    }))

  test("that drops answers with the action that has the lane, and takes the next once it has ended", () =>
    Effect.gen(function*() {
      const { Step, client, events, gate } = yield* world({ backlog: "drop" })
      const first = yield* client.send(Step, { key: "a", n: 1 })
      const second = yield* client.send(Step, { key: "a", n: 2 })
      assert.deepInclude(second, { _tag: "Duplicate" })
      if (second._tag === "Duplicate" && first._tag === "Sent") {
        assert.deepStrictEqual(second.first, { actionId: first.actionId, entryId: first.entryId })
      }
      const refused = yield* Effect.flip(client.request(Step, { key: "a", n: 3 }))
      assert.strictEqual(refused._tag, "LaneFull")
      gate.openUnsafe()
      yield* empty
      assert.strictEqual((yield* client.send(Step, { key: "a", n: 4 }))._tag, "Sent")
      yield* empty
      assert.deepStrictEqual(events, ["a1", "a4"])
    }))

  test("answers a second send of a waiting action with the first", () =>
    Effect.gen(function*() {
      const { Step, client, events, gate } = yield* world({})
      yield* client.send(Step, { key: "a", n: 1 })
      const waiting = yield* client.send(Step, { key: "a", n: 2 }, { actionId: "second" })
      const again = yield* client.send(Step, { key: "a", n: 2 }, { actionId: "second" })
      assert.strictEqual(again._tag === "Duplicate" ? again.first.actionId : "", waiting.actionId)
      gate.openUnsafe()
      yield* empty
      assert.deepStrictEqual(events, ["a1", "a2"])
    }))
})

onBoth("A lane with limits", (test, kind) => {
  test("starts no more in a period than its rate says", () =>
    Effect.gen(function*() {
      const { Step, client, events } = yield* world({ concurrency: 10, rate: { limit: 2, per: "2 seconds" } }, true)
      const { pass } = yield* Place
      for (let n = 1; n <= 5; n++) yield* client.send(Step, { key: "a", n })
      yield* ran(events, "a1", "a2")
      if (kind === "memory") {
        yield* pass("500 millis")
        assert.lengthOf(events, 2)
        yield* pass("1 second")
        assert.lengthOf(events, 3)
      }
      yield* ran(events, "a1", "a2", "a3", "a4", "a5")
      yield* empty
    }))

  test("of all keys together runs no more than those at once, and lets keys take turns", () =>
    Effect.gen(function*() {
      const { Step, client, events, gate, most } = yield* world({ total: { concurrency: 2 } })
      for (let n = 1; n <= 4; n++) yield* client.send(Step, { key: "a", n })
      for (const key of ["b", "c", "d"]) yield* client.send(Step, { key, n: 1 })
      yield* ran(events, "a1", "b1")
      yield* calm
      assert.lengthOf(events, 2)
      gate.openUnsafe()
      yield* empty
      assert.strictEqual(most(), 2)
      assert.deepStrictEqual(events.filter((event) => event.startsWith("a")), ["a1", "a2", "a3", "a4"])
      // A key with more to do is not served twice before the others are served once.
      assert.isBelow(events.indexOf("d1"), events.indexOf("a3"))
      assert.lengthOf(events, 7)
    }))

  test("lets more in when an operator allows more, and fewer when fewer", () =>
    Effect.gen(function*() {
      const { Step, client, events, gate, lanes, most } = yield* world({})
      for (let n = 1; n <= 4; n++) yield* client.send(Step, { key: "a", n })
      yield* ran(events, "a1")
      yield* lanes.limit({ type: "user.step" }, { concurrency: 3 })
      yield* ran(events, "a1", "a2", "a3")
      yield* lanes.limit({ type: "user.step" }, undefined)
      gate.openUnsafe()
      yield* empty
      assert.strictEqual(most(), 3)
    }))
})

onBoth("A lane that halts", (test) => {
  test("lets nothing in after a dead letter until it is resumed, and runs a replayed letter first", () =>
    Effect.gen(function*() {
      const { Step, client, events, lanes, mend } = yield* world({ onGiveUp: "halt" }, true)
      const letters = yield* DeadLetter.make()
      yield* client.send(Step, { key: "a", n: 1, fails: true })
      yield* client.send(Step, { key: "a", n: 2 })
      yield* eventually("there is a letter", Effect.map(letters.count(), (count) => count === 1))
      yield* client.send(Step, { key: "a", n: 3 })
      yield* client.send(Step, { key: "b", n: 1 })
      yield* ran(events, "a1", "b1")
      yield* calm
      assert.lengthOf(events, 2)
      const listed = yield* lanes.list()
      assert.deepInclude(listed.lanes[0], { type: "user.step", key: "a", state: "halted", held: 0, waiting: 2 })
      const [letter] = (yield* letters.list()).letters
      mend()
      yield* letters.replay(letter!.id)
      yield* calm
      assert.lengthOf(events, 2)
      assert.isTrue(yield* lanes.resume({ type: "user.step", key: "a" }))
      yield* ran(events, "a1", "b1", "a1", "a2", "a3")
      yield* empty
      assert.isFalse(yield* lanes.resume({ type: "user.step", key: "a" }))
    }))

  test("is not needed for a pause, which ends by itself", () =>
    Effect.gen(function*() {
      const { Step, client, events, lanes } = yield* world({}, true)
      yield* lanes.pause({ type: "user.step", key: "a" }, "700 millis")
      assert.strictEqual((yield* client.send(Step, { key: "a", n: 1 }))._tag, "Waiting")
      assert.deepInclude((yield* lanes.list()).lanes[0], { key: "a", state: "paused", waiting: 1 })
      yield* ran(events, "a1")
      yield* empty
    }))
})

onBoth("A handler in a lane", (test, kind) => {
  test("pauses its lane for all when it asks to be run again later, and other lanes go on", () =>
    Effect.gen(function*() {
      const events: Array<string> = []
      const fences: Array<string> = []
      const Step = contract({ concurrency: 2 })
      const Retried = Action.make("user.step", { payload, success: { n: Schema.Number }, maxAttempts: 3 }).pipe(
        Action.lane(({ key }) => key, { concurrency: 2 })
      )
      const gate = Latch.makeUnsafe(false)
      const handlers = ActionGroup.make(Retried).handlers({
        "user.step": ({ key, n }, { attempt, fence }) =>
          Effect.gen(function*() {
            events.push(`${key}${n}.${attempt}`)
            fences.push(fence)
            if (n === 1 && attempt === 1) return yield* new RetryLater({ after: "1 second", pauseLane: true })
            if (n === 2) yield* gate.await
            return { n }
          })
      })
      yield* Worker.start(handlers, { block: "200 millis", claimIdle: "4 seconds", shutdownGrace: 0, concurrency: 9 })
      const client = yield* ActionClient.make()
      const lanes = yield* Lanes.make()
      yield* client.send(Step, { key: "a", n: 1 })
      const isPaused = Effect.map(lanes.list(), ({ lanes }) => lanes[0]?.state === "paused")
      yield* eventually("the lane is paused", isPaused)
      assert.strictEqual((yield* client.send(Step, { key: "a", n: 2 }))._tag, "Waiting")
      assert.strictEqual((yield* client.send(Step, { key: "b", n: 3 }))._tag, "Sent")
      yield* eventually("the other lane ran", Effect.sync(() => events.includes("b3.1")))
      assert.notInclude(events, "a2.1")
      const { pass } = yield* Place
      yield* eventually("all ran", Effect.map(pass("10 millis"), () => events.length === 4))
      assert.include(events, "a1.2")
      gate.openUnsafe()
      yield* empty
      assert.deepStrictEqual(new Set(fences).size, fences.length)
      const ofFirst = fences.filter((fence) => fence.slice(0, 29) === fences[0]?.slice(0, 29))
      assert.deepStrictEqual(ofFirst, ofFirst.toSorted())
      assert.lengthOf(ofFirst, 2)
    }))

  test("spends a token of its rate on each retry", () =>
    Effect.gen(function*() {
      const events: Array<string> = []
      const Rated = Action.make("user.step", { payload, success: { n: Schema.Number }, maxAttempts: 9 }).pipe(
        Action.lane(({ key }) => key, { rate: { limit: 1, per: "2 seconds" } })
      )
      const handlers = ActionGroup.make(Rated).handlers({
        "user.step": ({ n }, { attempt }) => {
          events.push(`${n}.${attempt}`)
          return attempt < 3 ? Effect.fail(new RetryLater({ after: "10 millis" })) : Effect.succeed({ n })
        }
      })
      yield* Worker.start(handlers, { block: "200 millis", claimIdle: "4 seconds", shutdownGrace: 0 })
      const client = yield* ActionClient.make()
      const { pass } = yield* Place
      yield* client.send(Rated, { key: "a", n: 1 })
      yield* eventually("the first attempt ran", Effect.sync(() => events.length === 1))
      if (kind === "memory") {
        yield* pass("1 second")
        assert.lengthOf(events, 1)
        yield* pass("1500 millis")
        assert.lengthOf(events, 2)
      }
      yield* eventually("all ran", Effect.map(pass("10 millis"), () => events.length === 3))
      yield* empty
    }))
})

onBoth("A sender through a lane", (test) => {
  test("is told of an invalid key, of a key function that throws, and nothing is written", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const { client } = yield* world({}, true)
      const bad = (key: (payload: { readonly key: string; readonly n: number }) => string) =>
        Effect.flip(
          client.send(
            Action.make("user.bad", { payload: { key: Schema.String, n: Schema.Number } }).pipe(Action.lane(key)),
            { key: "secret", n: 1 }
          )
        )
      const errors = [
        yield* bad(() => ""),
        yield* bad(() => "é".repeat(101)),
        yield* bad(({ key }) => `${key}\u0000`),
        yield* bad(() => {
          throw new Error("secret")
        })
      ]
      assert.deepStrictEqual(errors.map(({ _tag }) => _tag), [
        "InvalidOption",
        "InvalidOption",
        "InvalidOption",
        "EncodeError"
      ])
      for (const error of errors) assert.notInclude(error.message, "secret")
      assert.lengthOf(yield* entriesOf(names.stream), 0)
      assert.strictEqual(yield* send("EXISTS", names.lanesWaiting, names.parkedEntries, names.lanesHeld), 0)
    }))

  test("fails when no worker supports lanes, and nothing is written", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const client = yield* ActionClient.make()
      const error = yield* Effect.flip(client.send(contract({}), { key: "a", n: 1 }))
      assert.strictEqual(error._tag, "NotSupported")
      assert.strictEqual(yield* send("EXISTS", names.stream, names.lanesHeld, names.lanesRules), 0)
    }))

  test("is refused limits that contradict those of the same lane", () =>
    Effect.gen(function*() {
      const { Step, client } = yield* world({}, true)
      yield* client.send(Step, { key: "a", n: 1 })
      const error = yield* Effect.flip(client.send(contract({ concurrency: 2 }), { key: "a", n: 2 }))
      assert.strictEqual(error._tag, "InvalidOption")
    }))

  test("that is a handler of the same lane is told at once that its answer could never come", () =>
    Effect.gen(function*() {
      const client = yield* ActionClient.make()
      const errors: Array<string> = []
      const Step = contract({})
      const handlers = ActionGroup.make(Step).handlers({
        "user.step": ({ key, n }) =>
          n > 1
            ? Effect.succeed({ n })
            : Effect.gen(function*() {
              errors.push((yield* Effect.flip(client.request(Step, { key, n: 2 })))._tag)
              const other = yield* Effect.orDie(client.request(Step, { key: "other", n: 3 }))
              return { n: other.n }
            }).pipe(Effect.orDie)
      })
      yield* Worker.start(handlers, { block: "200 millis", claimIdle: "2 seconds", shutdownGrace: 0, concurrency: 4 })
      assert.deepStrictEqual(yield* client.request(Step, { key: "a", n: 1 }, { timeout: "10 seconds" }), { n: 3 })
      assert.deepStrictEqual(errors, ["LaneHeld"])
      yield* empty
    }))
})

onBoth("A worker with lanes", (test) => {
  test("does not start while another group reads its stream", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      yield* send("XGROUP", "CREATE", names.stream, "audit", "0", "MKSTREAM")
      const handlers = ActionGroup.make(contract({})).handlers({ "user.step": ({ n }) => Effect.succeed({ n }) })
      const error = yield* Effect.flip(Worker.start(handlers, { block: "200 millis" }))
      assert.strictEqual(error._tag === "WorkerError" ? error.reason._tag : error._tag, "LanesNeedOneGroup")
    }))

  test("does not start with two limits for one lane", () =>
    Effect.gen(function*() {
      const named = (type: `${string}.${string}`, concurrency: number) =>
        Action.make(type, { payload: { key: Schema.String } }).pipe(
          Action.lane(({ key }) => key, { name: "shared", concurrency })
        )
      const handlers = ActionGroup.make(named("user.one", 1), named("user.two", 2)).handlers({
        "user.one": () => Effect.void,
        "user.two": () => Effect.void
      } as never)
      const error = yield* Effect.flip(Worker.start(handlers as never, { block: "200 millis" }))
      assert.strictEqual((error as { readonly _tag: string })._tag, "InvalidOption")
    }))
})
