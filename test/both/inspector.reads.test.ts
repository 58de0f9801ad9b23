/** What each read of the inspector returns, and what it refuses. */
import { assert } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import { Rejected } from "../../src/HandlerError.ts"
import * as Inspector from "../../src/Inspector.ts"
import { callbackInbox, namesOf, responseList } from "../../src/internal/redis/names.ts"
import { QueueNaming } from "../../src/QueueNaming.ts"
import * as Schedules from "../../src/Schedules.ts"
import * as Worker from "../../src/Worker.ts"
import { eventually, onBoth, Place, send } from "../support/layers.ts"
import { actionOf } from "../support/messages.ts"

const Greet = Action.make("user.greet", { payload: { name: Schema.String } })
const Actions = ActionGroup.make(Greet)

const namesFor = (service: string) => Effect.map(QueueNaming, (naming) => namesOf(naming, service))

/** A group that has read some of the entries of its stream. */
const grouped = Effect.fnUntraced(function*(consumers: ReadonlyArray<string>) {
  const { names } = yield* Place
  yield* send("XGROUP", "CREATE", names.stream, names.group, "0", "MKSTREAM")
  for (const [index, consumer] of consumers.entries()) {
    yield* send("XADD", names.stream, "*", "data", actionOf("user.greet", index, { data: { name: "a" } }))
    yield* send("XREADGROUP", "GROUP", names.group, consumer, "COUNT", 1, "STREAMS", names.stream, ">")
  }
  return names
})

onBoth("services", (test) => {
  test("lists the services that are known and exist, with the numbers of each", () =>
    Effect.gen(function*() {
      const inspector = yield* Inspector.make({ services: ["user", "payment", "nothing"], contracts: Actions })
      const payment = yield* namesFor("payment")
      yield* send("XADD", payment.stream, "*", "data", "x")
      yield* send("XADD", payment.deadLetters, "*", "data", "x")
      yield* Worker.start(Actions.handlers({ "user.greet": () => Effect.void }), { shutdownGrace: 0 })
      assert.deepStrictEqual(yield* inspector.services(), {
        services: [
          { service: "payment", hasWorkers: false, length: 1, deadLetters: 1 },
          { service: "user", hasWorkers: true, length: 0, deadLetters: 0 }
        ],
        complete: false
      })
    }))

  test("finds services that nobody named only with a scan, and none of another environment", () =>
    Effect.gen(function*() {
      const inspector = yield* Inspector.make()
      const mail = yield* namesFor("mail")
      const letters = yield* namesFor("letters-only")
      yield* send("XADD", mail.stream, "*", "data", "x")
      yield* send("XADD", letters.deadLetters, "*", "data", "x")
      yield* send("XADD", mail.stream.replace(/:mail:/, "-other:mail2:"), "*", "data", "x")
      // A key that only looks like a stream of actions.
      yield* send("SET", mail.stream.replace(":mail:", ":text:"), "x")
      assert.deepStrictEqual(yield* inspector.services(), { services: [], complete: false })
      const { complete, services } = yield* inspector.services({ scan: true })
      assert.deepStrictEqual([services.map(({ service }) => service), complete], [["letters-only", "mail"], true])
    }))

  test("leaves out a name that no service can have", () =>
    Effect.gen(function*() {
      const inspector = yield* Inspector.make({ services: ["a b", "mail"] })
      yield* send("XADD", (yield* namesFor("mail")).stream, "*", "data", "x")
      assert.deepStrictEqual((yield* inspector.services()).services.map(({ service }) => service), ["mail"])
      assert.strictEqual((yield* Effect.flip(inspector.overview("a b")))._tag, "QueueNameError")
    }))

  test("refuses an option of the inspector that is invalid before the first command", () =>
    Effect.gen(function*() {
      // @ts-expect-error -- a program in JavaScript may give anything
      const error = yield* Effect.flip(Inspector.make({ scan: "yes" }))
      assert.strictEqual(error._tag, "InvalidOption")
      assert.include(error.message, "scan")
    }))
})

onBoth("overview and consumers", (test) => {
  test("tell consumers by what they hold and how long they were silent, without the one that waits", () =>
    Effect.gen(function*() {
      const names = yield* grouped(["one", "two", "two"])
      const { pass } = yield* Place
      const inspector = yield* Inspector.make()
      yield* send("SET", names.lease, "1000")
      yield* send("XCLAIM", names.stream, names.group, names.waitingConsumer, 0, "1-1", "JUSTID")
      const fresh = yield* inspector.consumers("user")
      assert.deepStrictEqual(fresh.map(({ name, pending }) => [name, pending]), [["one", 1], ["two", 2]])
      yield* pass("1500 millis")
      const late = yield* inspector.consumers("user")
      assert.deepStrictEqual(late.map(({ stale }) => stale), [true, true])
      assert.isAtLeast(Duration.toMillis(late[0]!.idle), 1_000)
      const overview = yield* inspector.overview("user")
      assert.deepStrictEqual(overview.consumers.map(({ name }) => name), ["one", "two"])
      assert.strictEqual(Duration.toMillis(overview.lease!), 1_000)
    }))

  test("count what waits, and say since when the oldest does", () =>
    Effect.gen(function*() {
      const names = yield* grouped(["one"])
      const inspector = yield* Inspector.make()
      const id = yield* send<string>("XADD", names.stream, "*", "data", "x")
      yield* send("XADD", names.stream, "*", "data", "x")
      const overview = yield* inspector.overview("user")
      assert.deepStrictEqual(
        [overview.length, overview.lag, overview.pending, overview.running, overview.retrying],
        [3, 2, 1, 1, 0]
      )
      assert.strictEqual(DateTime.toEpochMillis(overview.oldestWaiting!), Number(id.split("-")[0]))
      assert.deepStrictEqual(overview.groups.map(({ name, own }) => [name, own]), [[names.group, true]])
    }))

  test("know a service whose workers have never started, and fail for one that does not exist", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const inspector = yield* Inspector.make({ services: ["user", "payment"] })
      assert.strictEqual((yield* Effect.flip(inspector.consumers("user")))._tag, "ServiceNotFound")
      yield* send("XADD", names.stream, "*", "data", "x")
      assert.deepStrictEqual(yield* inspector.consumers("user"), [])
      const { groups, lag, lease } = yield* inspector.overview("user")
      assert.deepStrictEqual([groups, lag, lease], [[], undefined, undefined])
    }))
})

onBoth("stale", (test) => {
  test("finds consumers that hold entries and are silent, and groups that nobody reads", () =>
    Effect.gen(function*() {
      const names = yield* grouped(["gone"])
      const { pass } = yield* Place
      const inspector = yield* Inspector.make()
      yield* send("SET", names.lease, "1000")
      yield* send("XGROUP", "CREATE", names.stream, "audit", "0")
      yield* send("XGROUP", "CREATECONSUMER", names.stream, names.group, "idle")
      yield* pass("1500 millis")
      const found = yield* inspector.stale("user")
      assert.deepStrictEqual(found.consumers.map(({ name }) => name), ["gone"])
      assert.deepStrictEqual(found.groups.map(({ name }) => name), ["audit"])
      assert.deepStrictEqual([found.callbackLists, found.responseLists, found.complete], [[], [], false])
    }))

  test("finds with a scan callback lists that no worker reads, and response lists that live for ever", () =>
    Effect.gen(function*() {
      const names = yield* grouped([])
      const naming = yield* QueueNaming
      const { pass } = yield* Place
      const left = callbackInbox(naming, "user", "user.left")
      const forever = responseList(naming, "user", "user.greet", "one")
      yield* send("LPUSH", left, "a", "b")
      yield* send("LPUSH", forever, "a")
      const passing = responseList(naming, "user", "user.greet", "two")
      yield* send("LPUSH", passing, "a")
      yield* send("PEXPIRE", passing, 60_000)
      const other = callbackInbox(naming, "payment", "payment.left")
      yield* send("LPUSH", other, "a")
      const inspector = yield* Inspector.make()
      const found = yield* Effect.all([inspector.stale("user", { scan: true }), pass("2 seconds")], {
        concurrency: 2
      }).pipe(Effect.map(([found]) => found))
      assert.deepStrictEqual(found.callbackLists, [{ list: left, length: 2 }])
      assert.deepStrictEqual(found.responseLists, [{ list: forever, length: 1 }])
      assert.isTrue(found.complete)
      assert.strictEqual(yield* send("LLEN", names.stream.replace(":user:", ":none:")), 0)
    }))

  test("finds nothing in a service at work, and fails for one that does not exist", () =>
    Effect.gen(function*() {
      const inspector = yield* Inspector.make()
      assert.strictEqual((yield* Effect.flip(inspector.stale("user")))._tag, "ServiceNotFound")
      yield* Worker.start(Actions.handlers({ "user.greet": () => Effect.void }), { shutdownGrace: 0 })
      const found = yield* inspector.stale("user")
      assert.deepStrictEqual([found.consumers, found.groups], [[], []])
    }))
})

const Hourly = Schedules.every("hourly", { every: "1 hour", action: Greet, payload: { name: "tick" } })

onBoth("schedules and trigger", (test) => {
  test("list schedules with their next slot, and send the action of one now, besides its slots", () =>
    Effect.gen(function*() {
      const inspector = yield* Inspector.make({ contracts: Actions })
      const ran: Array<string> = []
      yield* Worker.start(
        Actions.handlers({ "user.greet": ({ name }) => Effect.sync(() => void ran.push(name)) }),
        { shutdownGrace: 0, schedules: [Hourly] }
      )
      const [status] = yield* inspector.schedules("user")
      assert.deepStrictEqual([status?.name, status?.actionType, status?.origin], ["hourly", "user.greet", "declared"])
      const next = status?.next
      assert.strictEqual(DateTime.toEpochMillis(next!) % 3_600_000, 0)
      const id = yield* inspector.trigger("user", "hourly")
      assert.match(id, /^[0-9a-f-]{36}$/)
      yield* eventually("it ran", Effect.sync(() => ran.length === 1))
      assert.deepStrictEqual((yield* inspector.schedules("user"))[0]?.next, next)
      assert.strictEqual((yield* inspector.overview("user")).schedules, 1)
    }))

  test("name a schedule that does not exist, and a service that does not", () =>
    Effect.gen(function*() {
      const inspector = yield* Inspector.make({ services: ["user", "mail"] })
      assert.strictEqual((yield* Effect.flip(inspector.schedules("user")))._tag, "ServiceNotFound")
      yield* grouped([])
      assert.deepStrictEqual(yield* inspector.schedules("user"), [])
      const error = yield* Effect.flip(inspector.trigger("user", "daily"))
      assert.strictEqual(error._tag, "ScheduleNotFound")
      assert.include(error.message, "daily")
      assert.strictEqual((yield* Effect.flip(inspector.trigger("usr", "daily")))._tag, "ServiceNotFound")
    }))
})

/** Dead letters of two types. One of them does not fit its contract. */
const withLetters = Effect.gen(function*() {
  const inspector = yield* Inspector.make({ contracts: Actions })
  const { send: sendAction } = yield* ActionClient.make()
  let refusing = true
  const ran: Array<string> = []
  const worker = yield* Worker.start({
    "user.greet": ({ data }) =>
      Effect.suspend(() => {
        ran.push(String(data["name"]))
        return refusing ? Effect.fail(new Rejected({ message: "no", errorType: "Refused" })) : Effect.void
      }),
    "user.other": () => Effect.fail(new Rejected({ message: "no", errorType: "Another" }))
  }, { block: "200 millis", shutdownGrace: 0 })
  const { names } = yield* Place
  for (const name of ["a", "b", "c"]) yield* sendAction(Greet, { name })
  yield* send("XADD", names.stream, "*", "data", actionOf("user.greet", 8, { data: { name: 5 } }))
  yield* send("XADD", names.stream, "*", "data", actionOf("user.other", 9, { data: {} }))
  yield* eventually("all are dead", Effect.map(send<number>("XLEN", names.deadLetters), (length) => length === 5))
  ran.length = 0
  return { inspector, names, ran, worker, heal: Effect.sync(() => void (refusing = false)) }
})

onBoth("dryRun, replay and discard", (test) => {
  test("dryRun says which letters the contracts would refuse again, and runs nothing", () =>
    Effect.gen(function*() {
      const { inspector, names, ran } = yield* withLetters
      const { checked, failing, passing } = yield* inspector.dryRun("user")
      assert.deepStrictEqual([checked, passing], [5, 3])
      assert.sameDeepMembers(failing.map(({ actionType, count, reason }) => [reason, actionType, count]), [
        ["invalid", "user.greet", 1],
        ["unknown", "user.other", 1]
      ])
      assert.strictEqual((yield* inspector.dryRun("user", { errorType: "Another" })).checked, 1)
      assert.deepStrictEqual(ran, [])
      assert.strictEqual(yield* send("XLEN", names.deadLetters), 5)
    }))

  test("dryRun needs contracts, and says so", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      yield* send("XADD", names.stream, "*", "data", "x")
      const inspector = yield* Inspector.make()
      const error = yield* Effect.flip(inspector.dryRun("user"))
      assert.strictEqual(error._tag, "InvalidOption")
      assert.include(error.message, "contracts")
    }))

  test("replay runs one letter again, and replayMany those that match, with a report of its progress", () =>
    Effect.gen(function*() {
      const { heal, inspector, names, ran } = yield* withLetters
      yield* heal
      const { entries } = yield* inspector.list("user", "dead")
      yield* inspector.replay("user", entries[0]!.letter.id)
      yield* eventually("it ran", Effect.sync(() => ran.length === 1))
      const steps: Array<Inspector.Progress> = []
      const onProgress = (progress: Inspector.Progress) => Effect.sync(() => void steps.push(progress))
      const report = yield* inspector.replayMany("user", { actionType: "user.greet" }, { onProgress })
      assert.deepStrictEqual([report.replayed, report.missing, report.refused], [3, 0, 0])
      assert.strictEqual(steps.at(-1)?.done, 3)
      yield* eventually("all ran", Effect.sync(() => ran.length === 4))
      assert.sameMembers(ran, ["a", "b", "c", "5"])
      assert.strictEqual(yield* send("XLEN", names.deadLetters), 1)
    }))

  test("replay and discard refuse a letter that does not exist, and replay one that was replayed too often", () =>
    Effect.gen(function*() {
      const { inspector } = yield* withLetters
      for (
        const error of [
          yield* Effect.flip(inspector.replay("user", "1-1")),
          yield* Effect.flip(inspector.discard("user", "1-1")),
          yield* Effect.flip(inspector.discard("user", "nonsense"))
        ]
      ) {
        assert.strictEqual(error._tag, "DeadLetterNotFound")
      }
      const { entries: [first] } = yield* inspector.list("user", "dead")
      const tooMany = yield* Effect.flip(inspector.replay("user", first!.letter.id, { maxHops: 0 }))
      assert.strictEqual(tooMany._tag, "TooManyHops")
      assert.strictEqual((yield* Effect.flip(inspector.replay("usr", "1-1")))._tag, "ServiceNotFound")
    }))

  test("discard removes one letter, and discardMany those that match, at most as many as asked", () =>
    Effect.gen(function*() {
      const { inspector, names } = yield* withLetters
      const { entries } = yield* inspector.list("user", "dead")
      yield* inspector.discard("user", entries[0]!.letter.id)
      assert.strictEqual(yield* inspector.discardMany("user", { actionType: "user.greet" }, { limit: 2 }), 2)
      assert.strictEqual(yield* send("XLEN", names.deadLetters), 2)
      const steps: Array<Inspector.Progress> = []
      const onProgress = (progress: Inspector.Progress) => Effect.sync(() => void steps.push(progress))
      assert.strictEqual(yield* inspector.discardMany("user", {}, { onProgress }), 2)
      assert.deepStrictEqual(steps, [{ looked: 2, done: 2 }])
      assert.strictEqual(yield* send("XLEN", names.deadLetters), 0)
    }))

  test("a filter that matches nothing changes nothing, and an invalid one is refused", () =>
    Effect.gen(function*() {
      const { inspector, names } = yield* withLetters
      assert.strictEqual(yield* inspector.discardMany("user", { errorType: "Missing" }), 0)
      const report = yield* inspector.replayMany("user", { actionType: "user.missing" })
      assert.deepStrictEqual([report.replayed, report.missing, report.refused], [0, 0, 0])
      assert.strictEqual((yield* inspector.dryRun("user", { reason: "poison" })).checked, 0)
      assert.strictEqual(yield* send("XLEN", names.deadLetters), 5)
      // @ts-expect-error -- a program in JavaScript may give anything
      const error = yield* Effect.flip(inspector.discardMany("user", { olderThan: "soon" }))
      assert.strictEqual(error._tag, "InvalidOption")
      assert.strictEqual(yield* send("XLEN", names.deadLetters), 5)
    }))
})
