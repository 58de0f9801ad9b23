import { assert } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Action from "../../src/Action.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as DeadLetter from "../../src/DeadLetter.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import { Rejected } from "../../src/HandlerError.ts"
import { actionStream, callbackInbox, inbox, responseList } from "../../src/internal/redis/names.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Worker from "../../src/Worker.ts"
import { entriesOf, eventually, inMemory, onBoth, onServer, Place, send } from "../support/layers.ts"
import { isOnCluster } from "../support/place.ts"
import { RedisServer } from "../support/redisServer.ts"

const uuid = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`

const actionText = (fields: Partial<DomainAction.DomainAction> = {}): string =>
  DomainAction.encode(DomainAction.make({
    action_id: uuid(1),
    action_type: "user.create",
    timestamp: "2025-06-29T04:03:00.123456Z",
    data: { email: "ana@example.com" },
    ...fields
  }))

interface LetterInput {
  readonly reason?: string
  readonly actionType?: string
  readonly errorType?: string
  readonly hops?: number
  readonly notes?: ReadonlyArray<string>
  readonly fields?: ReadonlyArray<string>
  readonly id?: string
}

/** Writes a letter in the form that the settle script gives it. */
const bury = Effect.fnUntraced(function*(input: LetterInput = {}) {
  const { names } = yield* Place
  const fields = input.fields ?? ["data", actionText({ action_type: input.actionType ?? "user.create" })]
  const notes = {
    action_id: uuid(1),
    action_type: input.actionType ?? "user.create",
    attempts: 5,
    deliveries: 6,
    hops: input.hops ?? 0,
    reason: input.reason ?? "exhausted",
    error_type: input.errorType ?? "ProcessingError",
    error_code: "",
    message: "it broke"
  }
  const place = { entry_id: "5-0", group: names.group, consumer: "c", time: 7, fields: fields.length / 2 }
  return yield* send<string>(
    "XADD",
    names.deadLetters,
    input.id ?? "*",
    ...Object.entries(notes).flat(),
    ...input.notes ?? [],
    ...Object.entries(place).flat(),
    ...fields
  )
})

const buryMany = (count: number, input: LetterInput = {}) =>
  Effect.forEach(Array.from({ length: count }), () => bury(input), { concurrency: "unbounded" })

const letterIds = Effect.gen(function*() {
  const { names } = yield* Place
  return (yield* entriesOf(names.deadLetters)).map(([id]) => id)
})

const length = (key: string) => send<number>("XLEN", key)

const now = Effect.map(send<[string, string]>("TIME"), ([seconds]) => Number(seconds) * 1000)

onBoth("DeadLetter", (test) => {
  test("shows what a worker noted", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const deadLetters = yield* DeadLetter.make()
      yield* Worker.start({
        "user.create": () =>
          Effect.fail(new Rejected({ errorType: "NoRoom", errorCode: "FULL", message: "no room left" }))
      })
      const entryId = yield* send<string>("XADD", names.stream, "*", "data", actionText(), "traceparent", "00-1")
      yield* eventually("the letter is there", Effect.map(deadLetters.count(), (count) => count === 1))
      const { cursor, letters } = yield* deadLetters.list()
      assert.isUndefined(cursor)
      const [letter] = letters
      assert.deepInclude(letter, {
        reason: "rejected",
        actionId: uuid(1),
        actionType: "user.create",
        errorType: "NoRoom",
        errorCode: "FULL",
        message: "no room left",
        attempts: 1,
        deliveries: 1,
        hops: 0,
        entryId,
        group: names.group,
        fields: 2,
        hasAnswer: false
      })
      const unique = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(letter!.consumer!)?.[0] ?? ""
      const naming = yield* QueueNaming.QueueNaming
      assert.strictEqual(letter!.consumer, naming.consumer("user", "internal-0", unique))
      assert.isAtLeast(DateTime.toEpochMillis(letter!.time), Number(entryId.split("-")[0]))
    }))

  test("gives each letter once in pages, from either end", () =>
    Effect.gen(function*() {
      const deadLetters = yield* DeadLetter.make()
      yield* buryMany(250)
      const all = yield* letterIds
      for (const order of ["oldest", "newest"] as const) {
        const seen: Array<string> = []
        let cursor: string | undefined
        do {
          const page: DeadLetter.Page = yield* deadLetters.list({ order, limit: 60, cursor })
          assert.isAtMost(page.letters.length, 60)
          for (const letter of page.letters) seen.push(letter.id)
          cursor = page.cursor
        } while (cursor !== undefined)
        assert.deepStrictEqual(seen, order === "oldest" ? all : all.toReversed())
      }
    }))

  test("finds the letters that a filter takes, however far apart they lie", () =>
    Effect.gen(function*() {
      const deadLetters = yield* DeadLetter.make()
      const wanted = [yield* bury({ reason: "invalid", actionType: "user.rare", errorType: "Odd" })]
      yield* buryMany(1_200)
      wanted.push(yield* bury({ reason: "invalid", actionType: "user.rare", errorType: "Odd" }))
      const ids = (filter: DeadLetter.ListOptions) =>
        Effect.map(deadLetters.list(filter), (page) => page.letters.map((letter) => letter.id))
      assert.deepStrictEqual(yield* ids({ reason: "invalid", limit: 2 }), wanted)
      assert.deepStrictEqual(yield* ids({ reason: ["poison", "invalid"] }), wanted)
      assert.deepStrictEqual(yield* ids({ actionType: "user.rare" }), wanted)
      assert.deepStrictEqual(yield* ids({ errorType: "Odd", order: "newest" }), wanted.toReversed())
      assert.deepStrictEqual(yield* ids({ reason: "invalid", errorType: "ProcessingError" }), [])
      assert.strictEqual(yield* deadLetters.count({ reason: "exhausted" }), 1_200)
    }))

  test("finds letters by their age, by the server's clock", () =>
    Effect.gen(function*() {
      const deadLetters = yield* DeadLetter.make()
      const time = yield* now
      const hour = 3_600_000
      const ids = [`${time - 3 * hour}-0`, `${time - 2 * hour}-0`, `${time - hour}-0`]
      for (const id of ids) yield* bury({ id })
      const list = (filter: DeadLetter.Filter) =>
        Effect.map(deadLetters.list(filter), (page) => page.letters.map((letter) => letter.id))
      assert.deepStrictEqual(yield* list({ olderThan: "90 minutes" }), ids.slice(0, 2))
      assert.deepStrictEqual(yield* list({ newerThan: "150 minutes" }), ids.slice(1))
      assert.deepStrictEqual(yield* list({ olderThan: "90 minutes", newerThan: "150 minutes" }), ids.slice(1, 2))
      assert.deepStrictEqual(yield* list({ olderThan: "4 hours" }), [])
    }))

  test("finds nothing with a filter that lists nothing", () =>
    Effect.gen(function*() {
      const deadLetters = yield* DeadLetter.make()
      yield* buryMany(3)
      assert.deepStrictEqual(yield* deadLetters.list({ reason: [] }), { letters: [], cursor: undefined })
      assert.strictEqual(yield* deadLetters.discardMany({ actionType: [] }), 0)
      assert.strictEqual(yield* deadLetters.count(), 3)
    }))

  test("streams letters one after the other", () =>
    Effect.gen(function*() {
      const deadLetters = yield* DeadLetter.make()
      yield* buryMany(230)
      yield* buryMany(5, { reason: "poison" })
      assert.strictEqual(yield* Stream.runCount(deadLetters.stream({ reason: "exhausted" })), 230)
      assert.deepStrictEqual(
        yield* Stream.runCollect(Stream.map(Stream.take(deadLetters.stream({ order: "newest" }), 2), (l) => l.reason)),
        ["poison", "poison"]
      )
    }))

  test("shows one letter with all that it holds", () =>
    Effect.gen(function*() {
      const deadLetters = yield* DeadLetter.make()
      const text = actionText()
      const id = yield* bury({
        notes: ["undeliverable", "WRONGTYPE no list", "answer", "{\"success\":false}"],
        fields: ["data", text, "reason", "the sender's own", "data", "second"]
      })
      const details = yield* deadLetters.inspect(id)
      assert.deepInclude(details, {
        id,
        reason: "exhausted",
        errorCode: undefined,
        hasAnswer: true,
        answer: "{\"success\":false}",
        undeliverable: "WRONGTYPE no list",
        binary: false,
        data: text
      })
      assert.deepStrictEqual(details.entry, [["data", text], ["reason", "the sender's own"], ["data", "second"]])
      assert.strictEqual(Result.getOrThrow(details.action).action_type, "user.create")
      const other = yield* deadLetters.inspect(yield* bury({ fields: ["data", "{oops"] }))
      assert.isTrue(Result.isFailure(other.action))
    }))

  test("says which letter is not there", () =>
    Effect.gen(function*() {
      const deadLetters = yield* DeadLetter.make()
      const id = yield* bury()
      // An id without its second part would mean a range.
      for (const wrong of ["1-1", id.split("-")[0]!, "-", "+", "", "nonsense"]) {
        const errors = [
          yield* Effect.flip(deadLetters.inspect(wrong)),
          yield* Effect.flip(deadLetters.replay(wrong)),
          yield* Effect.flip(deadLetters.discard(wrong)),
          yield* Effect.flip(deadLetters.redeliver(wrong))
        ]
        assert.isTrue(errors.every((error) => error._tag === "DeadLetterNotFound"))
      }
      assert.strictEqual(yield* deadLetters.count(), 1)
    }))

  test("sums up how many letters there are of each kind", () =>
    Effect.gen(function*() {
      const deadLetters = yield* DeadLetter.make()
      yield* buryMany(1_100)
      yield* buryMany(7, { actionType: "user.update" })
      yield* buryMany(2, { reason: "poison", errorType: "Poison" })
      const ids = yield* letterIds
      const summary = yield* deadLetters.summary()
      assert.strictEqual(summary.total, 1_109)
      assert.deepStrictEqual(summary.byReason, { exhausted: 1_107, poison: 2 })
      assert.deepStrictEqual(summary.byActionType, { "user.create": 1_102, "user.update": 7 })
      assert.deepStrictEqual(summary.groups.map((group) => group.count), [1_100, 7, 2])
      assert.deepInclude(summary.groups[2], { reason: "poison", actionType: "user.create", errorType: "Poison" })
      assert.strictEqual(DateTime.toEpochMillis(summary.groups[2]!.newest), Number(ids.at(-1)!.split("-")[0]))
      assert.strictEqual((yield* deadLetters.summary({ reason: "poison" })).total, 2)
    }))

  test("reads entries that others wrote without harm", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const deadLetters = yield* DeadLetter.make()
      const add = (fields: string) => send<string>("XADD", names.deadLetters, "*", ...fields.split("|"))
      const ids = [
        yield* add("hello|world"),
        yield* add("reason|rejected|entry_id|1-1|fields|9"),
        yield* add("reason|rejected|entry_id|1-1|fields|9|packed|12:no netstring"),
        yield* add("reason|rejected|entry_id|1-1|fields|9|packed|-3:abc,")
      ]
      const { letters } = yield* deadLetters.list()
      assert.deepStrictEqual(letters.map((letter) => letter.reason), ["other", "other", "rejected", "rejected"])
      for (const id of ids) {
        assert.strictEqual((yield* Effect.flip(deadLetters.replay(id)))._tag, "NotReplayable")
        assert.isTrue(Result.isFailure((yield* deadLetters.inspect(id)).action))
      }
      yield* deadLetters.discard(ids[0]!)
      assert.strictEqual(yield* deadLetters.count(), 3)
    }))
})

onBoth("DeadLetter replays", (test) => {
  test("an entry as it came, with the count of its replays behind it", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const deadLetters = yield* DeadLetter.make()
      const fields = ["data", actionText(), "traceparent", "00-1", "", "ä\u0000€\u{1F600}", "data", "second"]
      const id = yield* bury({ fields })
      const entryId = yield* deadLetters.replay(id)
      assert.deepStrictEqual(yield* entriesOf(names.stream), [[entryId, [...fields, "replays", "1"]]])
      assert.strictEqual((yield* Effect.flip(deadLetters.replay(id)))._tag, "DeadLetterNotFound")
      assert.strictEqual(yield* length(names.stream), 1)
      const again = yield* bury({ fields: [...fields, "replays", "1"], hops: 1 })
      yield* deadLetters.replay(again)
      assert.deepStrictEqual((yield* entriesOf(names.stream))[1]?.[1], [...fields, "replays", "2"])
    }))

  test("an entry of so many fields that its letter packs them", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const deadLetters = yield* DeadLetter.make()
      const extra = Array.from({ length: 2_500 }, (_, i) => [`näme${i}`, i % 3 === 0 ? "" : `wert ü ${i}`]).flat()
      const fields = [...extra, "data", actionText()]
      const worker = yield* Worker.start({ "user.create": () => Effect.fail(new Rejected({ message: "no" })) })
      yield* send("XADD", names.stream, "*", ...fields)
      yield* eventually("the letter is there", Effect.map(deadLetters.count(), (count) => count === 1))
      yield* worker.drain
      const [letter] = (yield* deadLetters.list()).letters
      assert.strictEqual(letter!.fields, 2_501)
      assert.deepStrictEqual((yield* deadLetters.inspect(letter!.id)).entry.flat(), fields)
      const entryId = yield* deadLetters.replay(letter!.id)
      assert.deepStrictEqual(yield* entriesOf(names.stream), [[entryId, [...fields, "replays", "1"]]])
    }))

  test("as many fields as Lua can hand on, and leaves what has more where it is", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const deadLetters = yield* DeadLetter.make()
      const packed = (pairs: number) => {
        const text = Array.from({ length: pairs }, (_, i) => `${String(i).length}:${i},1:v,`).join("")
        const notes = { hops: 0, reason: "exhausted", entry_id: "1-1", fields: pairs, packed: text }
        return send<string>("XADD", names.deadLetters, "*", ...Object.entries(notes).flat())
      }
      yield* deadLetters.replay(yield* packed(3_900))
      assert.strictEqual((yield* entriesOf(names.stream))[0]?.[1].length, 7_802)
      const wide = yield* packed(3_901)
      const error = yield* Effect.flip(deadLetters.replay(wide))
      assert.strictEqual(error._tag, "NotReplayable")
      assert.deepStrictEqual(yield* letterIds, [wide])
    }))

  test("an action until it has come back too often", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const deadLetters = yield* DeadLetter.make()
      yield* Worker.start({ "user.create": () => Effect.fail(new Rejected({ message: "never" })) })
      yield* send("XADD", names.stream, "*", "data", actionText())
      const letterAfter = Effect.fnUntraced(function*(hops: number) {
        const find = Effect.map(deadLetters.list(), (page) => page.letters.find((letter) => letter.hops === hops))
        yield* eventually(`a letter after ${hops} replays`, Effect.map(find, (letter) => letter !== undefined))
        return (yield* find)!.id
      })
      yield* deadLetters.replay(yield* letterAfter(0), { maxHops: 2 })
      yield* deadLetters.replay(yield* letterAfter(1), { maxHops: 2 })
      const last = yield* letterAfter(2)
      const error = yield* Effect.flip(deadLetters.replay(last, { maxHops: 2 }))
      assert.deepInclude(error, { _tag: "TooManyHops", id: last, hops: 2, maxHops: 2 })
      const report = yield* deadLetters.replayMany({}, { maxHops: 2 })
      assert.deepInclude(report, { replayed: 0, refused: 1 })
      assert.strictEqual(report.refusals[0]?._tag, "TooManyHops")
      yield* deadLetters.replay(last, { maxHops: 2, force: true })
      yield* letterAfter(3)
    }))

  test("five times unless an option says otherwise", () =>
    Effect.gen(function*() {
      const deadLetters = yield* DeadLetter.make()
      yield* deadLetters.replay(yield* bury({ hops: 4 }))
      const error = yield* Effect.flip(deadLetters.replay(yield* bury({ hops: 5 })))
      assert.deepInclude(error, { _tag: "TooManyHops", maxHops: 5 })
    }))

  test("all that match, in their order, and no others", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const deadLetters = yield* DeadLetter.make()
      for (let i = 0; i < 350; i++) {
        yield* bury({ reason: i % 2 === 0 ? "invalid" : "poison", fields: ["data", String(i)] })
      }
      assert.deepStrictEqual(yield* deadLetters.replayMany({ reason: "invalid" }, { limit: 150 }), {
        replayed: 150,
        missing: 0,
        refused: 0,
        refusals: []
      })
      assert.deepInclude(yield* deadLetters.replayMany({ reason: "invalid" }), { replayed: 25 })
      const replayed = (yield* entriesOf(names.stream)).map(([, fields]) => Number(fields[1]))
      assert.deepStrictEqual(replayed, Array.from({ length: 175 }, (_, i) => 2 * i))
      assert.deepStrictEqual((yield* deadLetters.summary()).byReason, { poison: 175 })
    }))

  test("nothing whose handler has done its work, unless that is asked for", () =>
    Effect.gen(function*() {
      const deadLetters = yield* DeadLetter.make()
      for (const reason of ["undeliverable", "rejected", "unencodable"]) yield* bury({ reason })
      assert.deepInclude(yield* deadLetters.replayMany({}), { replayed: 1 })
      assert.deepStrictEqual((yield* deadLetters.summary()).byReason, { undeliverable: 1, unencodable: 1 })
      assert.deepInclude(yield* deadLetters.replayMany({ reason: ["undeliverable"] }), { replayed: 1 })
    }))

  test("no action twice in one go, though it dies again meanwhile", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const deadLetters = yield* DeadLetter.make()
      yield* buryMany(300)
      let handled = 0
      yield* Worker.start({
        "user.create": () =>
          Effect.suspend(() => {
            handled++
            return Effect.fail(new Rejected({ message: "again" }))
          })
      })
      const replaying = yield* Effect.forkChild(deadLetters.replayMany({}, { ratePerSecond: 1_000 }))
      yield* eventually(
        "all came back",
        Effect.map(length(names.deadLetters), (count) => count === 300 && handled >= 300)
      )
      assert.deepInclude(yield* Fiber.join(replaying), { replayed: 300 })
      const { letters } = yield* deadLetters.list({ limit: 300 })
      assert.isTrue(letters.every((letter) => letter.hops === 1))
      assert.strictEqual(handled, 300)
    }))

  test("nothing when the action stream is not a stream, and keeps the letter", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const deadLetters = yield* DeadLetter.make()
      const id = yield* bury()
      yield* send("SET", names.stream, "x")
      const error = yield* Effect.flip(deadLetters.replay(id))
      assert.strictEqual(error._tag, "RedisError")
      assert.deepStrictEqual(yield* letterIds, [id])
    }))
})

inMemory("DeadLetter replays", (test) => {
  test("no more letters in a second than it may", () =>
    Effect.gen(function*() {
      const { names, pass } = yield* Place
      const deadLetters = yield* DeadLetter.make()
      for (const [ratePerSecond, seconds] of [[5, 6], [100, 3], [0.5, 8]] as const) {
        yield* send("DEL", names.stream)
        const count = Math.ceil(ratePerSecond * seconds)
        yield* buryMany(count)
        const replaying = yield* Effect.forkChild(deadLetters.replayMany({}, { ratePerSecond }), {
          startImmediately: true
        })
        const first = yield* length(names.stream)
        assert.isAtMost(first, Math.max(1, ratePerSecond / 10))
        for (let second = 1; second <= seconds; second++) {
          yield* pass("1 second")
          const done = yield* length(names.stream)
          assert.isAtMost(done, first + second * ratePerSecond)
          assert.isAtLeast(done, Math.min(count, Math.floor(second * ratePerSecond)))
        }
        assert.deepInclude(yield* Fiber.join(replaying), { replayed: count })
      }
    }))
})

onBoth("DeadLetter discards", (test) => {
  test("the letter that it is given, and no other", () =>
    Effect.gen(function*() {
      const deadLetters = yield* DeadLetter.make()
      const [first, second] = yield* buryMany(2)
      yield* deadLetters.discard(first!)
      assert.deepStrictEqual(yield* letterIds, [second])
      assert.strictEqual((yield* Effect.flip(deadLetters.discard(first!)))._tag, "DeadLetterNotFound")
    }))

  test("those that match, the oldest first", () =>
    Effect.gen(function*() {
      const deadLetters = yield* DeadLetter.make()
      yield* buryMany(1_200)
      yield* buryMany(3, { reason: "poison" })
      const ids = yield* letterIds
      assert.strictEqual(yield* deadLetters.discardMany({ reason: "exhausted" }, { limit: 10 }), 10)
      assert.deepStrictEqual(yield* letterIds, ids.slice(10))
      assert.strictEqual(yield* deadLetters.discardMany({ reason: "exhausted" }), 1_190)
      assert.strictEqual(yield* deadLetters.discardMany({}), 3)
      assert.strictEqual(yield* deadLetters.count(), 0)
    }))
})

const CreateUser = Action.make("user.create", { payload: { email: Schema.String, age: Schema.Int } })
const UpdateUser = Action.make("user.update", { payload: { name: Schema.NonEmptyString } })
const UserActions = ActionGroup.make(CreateUser, UpdateUser)

onBoth("DeadLetter dry runs", (test) => {
  const buryAll = Effect.gen(function*() {
    const invalid = (fields: Partial<DomainAction.DomainAction>, reason: string) =>
      bury({ reason, fields: ["data", actionText(fields)] })
    for (let i = 0; i < 130; i++) yield* invalid({ data: { email: "a", age: 1 } }, "exhausted")
    for (let i = 0; i < 12; i++) yield* invalid({ data: { email: "a", age: "x" } }, "invalid")
    for (let i = 0; i < 3; i++) yield* invalid({ data: { age: 1 } }, "invalid")
    for (let i = 0; i < 2; i++) yield* invalid({ action_type: "user.rename" }, "unknown")
    yield* bury({ reason: "malformed", actionType: "", fields: ["data", "{oops"] })
    yield* bury({ reason: "malformed", actionType: "", fields: ["other", "x"] })
  })

  test("group what would still fail against the contracts", () =>
    Effect.gen(function*() {
      const deadLetters = yield* DeadLetter.make()
      yield* buryAll
      const before = yield* letterIds
      const { checked, failing, passing } = yield* deadLetters.dryRun(UserActions)
      assert.deepStrictEqual({ checked, passing }, { checked: 149, passing: 130 })
      assert.deepStrictEqual(
        failing.map(({ actionType, count, reason }) => [reason, actionType, count]),
        [
          ["invalid", "user.create", 12],
          ["invalid", "user.create", 3],
          ["unknown", "user.rename", 2],
          ["malformed", undefined, 1],
          ["malformed", undefined, 1]
        ]
      )
      assert.match(failing[0]!.issue, /^age: /)
      assert.match(failing[1]!.issue, /^email: /)
      assert.strictEqual(failing[3]!.letters.length, 1)
      assert.strictEqual(failing[0]!.letters.length, 10)
      assert.deepStrictEqual(yield* letterIds, before)
    }))

  test("take only those that match", () =>
    Effect.gen(function*() {
      const deadLetters = yield* DeadLetter.make()
      yield* buryAll
      const { checked, failing } = yield* deadLetters.dryRun(UserActions, { reason: "unknown" })
      assert.strictEqual(checked, 2)
      assert.deepStrictEqual(failing.map((group) => group.issue), ["No contract has the type user.rename"])
    }))

  test("decode as the handlers of a worker would, and run none", () =>
    Effect.gen(function*() {
      const deadLetters = yield* DeadLetter.make()
      yield* buryAll
      const events: Array<string> = []
      const handlers = UserActions.handlers(Effect.gen(function*() {
        yield* Effect.addFinalizer(() => Effect.sync(() => events.push("closed")))
        const handler = () => Effect.sync(() => void events.push("run"))
        return { "user.create": handler, "user.update": handler }
      }))
      assert.strictEqual((yield* deadLetters.dryRun(handlers)).passing, 130)
      assert.deepStrictEqual(events, ["closed"])
      const raw = { "user.rename": () => Effect.void, "user.create": () => Effect.void }
      assert.deepInclude(yield* deadLetters.dryRun(raw), { checked: 149, passing: 147 })
    }))

  test("call malformed what is over the limit", () =>
    Effect.gen(function*() {
      const deadLetters = yield* DeadLetter.make()
      yield* bury({ fields: ["data", actionText({ data: { text: "x".repeat(5 * 1024 * 1024) } })] })
      const { failing } = yield* deadLetters.dryRun(UserActions)
      assert.strictEqual(failing[0]?.reason, "malformed")
      assert.match(failing[0]!.issue, /larger than/)
    }))
})

// On a cluster a worker forwards what is redelivered, see test/cluster/redeliver.test.ts.
const onBothButClusters = isOnCluster ? inMemory : onBoth

onBothButClusters("DeadLetter redelivers", (test) => {
  test("an answer once its list can be written, and is done with the letter", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const naming = yield* QueueNaming.QueueNaming
      const deadLetters = yield* DeadLetter.make({ responseTimeToLive: "1 minute" })
      const list = responseList(naming, "shop", "user.create", uuid(9))
      yield* Worker.start({ "user.create": () => Effect.succeed({ userId: "u1" }) })
      yield* send("SET", list, "in the way")
      const text = actionText({ callback_queue_name: list, correlation_id: uuid(9) })
      yield* send("XADD", names.stream, "*", "data", text)
      yield* eventually("the letter is there", Effect.map(deadLetters.count(), (count) => count === 1))
      const [letter] = (yield* deadLetters.list()).letters
      assert.deepInclude(letter, { reason: "undeliverable", hasAnswer: true })

      const refused = yield* Effect.flip(deadLetters.redeliver(letter!.id))
      assert.strictEqual(refused._tag, "NotDeliverable")
      assert.match(refused.message, /holds a string/)
      yield* send("DEL", list)
      assert.deepStrictEqual(yield* deadLetters.redeliver(letter!.id), { letter: undefined })
      const answers = yield* send<ReadonlyArray<string>>("LRANGE", list, 0, -1)
      assert.strictEqual(answers.length, 1)
      const response = Result.getOrThrow(DomainAction.parseResponse(answers[0]!))
      assert.deepStrictEqual([response.success, response.data], [true, { userId: "u1" }])
      assert.isTrue((yield* send<number>("PTTL", list)) > 0)
      assert.strictEqual(yield* deadLetters.count(), 0)
      assert.strictEqual((yield* Effect.flip(deadLetters.redeliver(letter!.id)))._tag, "DeadLetterNotFound")
      assert.strictEqual(yield* length(names.stream), 0)
    }))

  test("the answer of a failed action, which stays as a letter without it", () =>
    Effect.gen(function*() {
      const naming = yield* QueueNaming.QueueNaming
      const deadLetters = yield* DeadLetter.make()
      const list = callbackInbox(naming, "shop", "shop.done")
      const fields = [
        "data",
        actionText({ callback_queue_name: list, callback_action_type: "shop.done" }),
        "answer",
        "the sender's own"
      ]
      const id = yield* bury({ notes: ["undeliverable", "NOPERM", "answer", "{\"success\":false}"], fields })
      const { letter } = yield* deadLetters.redeliver(id)
      assert.deepStrictEqual(yield* send("LRANGE", list, 0, -1), ["{\"success\":false}"])
      assert.isAbove(yield* send<number>("PTTL", list), 29 * 86_400_000)
      assert.deepStrictEqual(yield* letterIds, [letter])
      const details = yield* deadLetters.inspect(letter!)
      assert.deepInclude(details, { reason: "exhausted", hasAnswer: false, undeliverable: undefined })
      assert.deepStrictEqual(details.entry.flat(), fields)
      assert.strictEqual((yield* Effect.flip(deadLetters.redeliver(letter!)))._tag, "NotDeliverable")
    }))

  test("with a time to live that is rounded up to what the server takes", () =>
    Effect.gen(function*() {
      const naming = yield* QueueNaming.QueueNaming
      const deadLetters = yield* DeadLetter.make({ responseTimeToLive: 59_999.5 })
      const list = inbox(naming, "shop", "user", "1")
      const data = actionText({ callback_queue_name: list })
      const id = yield* bury({ reason: "undeliverable", notes: ["answer", "{}"], fields: ["data", data] })
      yield* deadLetters.redeliver(id)
      assert.deepStrictEqual(yield* send("LRANGE", list, 0, -1), ["{}"])
      const left = yield* send<number>("PTTL", list)
      assert.isTrue(left > 30_000 && left <= 60_000, `${left}`)
      assert.deepStrictEqual(yield* letterIds, [])
    }))

  test("an action to an action stream, and an error response to none", () =>
    Effect.gen(function*() {
      const naming = yield* QueueNaming.QueueNaming
      const deadLetters = yield* DeadLetter.make()
      const stream = actionStream(naming, "shop")
      const answers = [actionText({ action_type: "shop.done" }), "{\"success\":false}"]
      const data = actionText({ callback_queue_name: stream, callback_action_type: "shop.done" })
      const [done, failed] = yield* Effect.forEach(answers, (answer) =>
        bury({ reason: "undeliverable", notes: ["answer", answer], fields: ["data", data] }))
      yield* deadLetters.redeliver(done!)
      const error = yield* Effect.flip(deadLetters.redeliver(failed!))
      assert.strictEqual(error._tag, "NotDeliverable")
      assert.match(error.message, /The naming does not accept the list that the message names for its answer/)
      const [[, fields] = [], ...more] = yield* entriesOf(stream)
      assert.deepStrictEqual([fields, more], [["data", answers[0]!], []])
      assert.deepStrictEqual(yield* letterIds, [failed])
    }))

  test("nothing to a list that the naming does not accept", () =>
    Effect.gen(function*() {
      const naming = yield* QueueNaming.QueueNaming
      const deadLetters = yield* DeadLetter.make()
      const list = `elsewhere:${(yield* Place).environment}`
      const id = yield* bury({
        reason: "undeliverable",
        notes: ["undeliverable", "not accepted", "answer", "{}"],
        fields: ["data", actionText({ callback_queue_name: list })]
      })
      const error = yield* Effect.flip(deadLetters.redeliver(id))
      assert.strictEqual(error._tag, "NotDeliverable")
      assert.strictEqual(yield* send("EXISTS", list), 0)
      const generous = QueueNaming.layerOf({ ...naming, accepts: (name) => name === list })
      const mended = yield* DeadLetter.make().pipe(Effect.provide(generous))
      yield* mended.redeliver(id)
      assert.deepStrictEqual(yield* send("LRANGE", list, 0, -1), ["{}"])
    }))
})

const tagOf = (value: unknown): unknown => Predicate.hasProperty(value, "_tag") ? value._tag : value

onServer("DeadLetter in a stream whose ids are beyond every date", (test) => {
  test("gives the last date there is as the time of a letter", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      yield* send("XADD", names.deadLetters, "18446744073709551615-0", "data", "{}")
      const deadLetters = yield* DeadLetter.make()
      const { letters: [letter] } = yield* deadLetters.list()
      assert.strictEqual(DateTime.toEpochMillis(letter!.time), 8.64e15)
      assert.strictEqual((yield* deadLetters.inspect(letter!.id)).id, letter!.id)
    }))
})

onBoth("DeadLetter refuses", (test) => {
  test("a time to live that the server does not take", () =>
    Effect.gen(function*() {
      for (const time of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e16, "-5 millis", "soon" as "1 day"] as const) {
        const error = yield* Effect.flip(DeadLetter.make({ responseTimeToLive: time }))
        assert.instanceOf(error, DeadLetter.InvalidOption, String(time))
        assert.strictEqual(error.option, "responseTimeToLive")
      }
    }))

  test("options of a call that are none, and does nothing then", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const deadLetters = yield* DeadLetter.make()
      yield* buryMany(3)
      const id = yield* bury({ hops: 5 })
      const calls: ReadonlyArray<readonly [what: string, call: Effect.Effect<unknown, { readonly _tag: string }>]> = [
        ...[-1, Number.NaN].flatMap((maxHops) =>
          [
            [`replay, maxHops ${maxHops}`, deadLetters.replay(id, { maxHops })],
            [`replayMany, maxHops ${maxHops}`, deadLetters.replayMany({}, { maxHops })]
          ] as const
        ),
        ...[-1, 0.5, Number.NaN].flatMap((limit) =>
          [
            [`list, limit ${limit}`, deadLetters.list({ limit })],
            [`replayMany, limit ${limit}`, deadLetters.replayMany({}, { limit })],
            [`discardMany, limit ${limit}`, deadLetters.discardMany({}, { limit })]
          ] as const
        ),
        ["no rate", deadLetters.replayMany({}, { ratePerSecond: 0 })],
        ...[-1, Number.NaN, "soon" as "1 day"].flatMap((time) =>
          [
            [`list, newerThan ${time}`, deadLetters.list({ newerThan: time })],
            [`stream, olderThan ${time}`, Stream.runDrain(deadLetters.stream({ olderThan: time }))],
            [`discardMany, olderThan ${time}`, deadLetters.discardMany({ olderThan: time })],
            [`replayMany, olderThan ${time}`, deadLetters.replayMany({ olderThan: time })],
            [`dryRun, newerThan ${time}`, deadLetters.dryRun(UserActions, { newerThan: time })]
          ] as const
        )
      ]
      for (const [what, call] of calls) {
        assert.strictEqual((yield* Effect.result(call)).pipe(Result.merge, tagOf), "InvalidOption", what)
      }
      assert.strictEqual(yield* deadLetters.count(), 4)
      assert.strictEqual(yield* length(names.stream), 0)
    }))
})

onServer("DeadLetter", (test) => {
  test("keeps bytes that are no UTF-8 through death and replay", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer
      const { names } = yield* Place
      const deadLetters = yield* DeadLetter.make()
      const bytes = Uint8Array.from([0x7b, 0xff, 0xfe, 0x00, 0x80, 0x0d, 0x0a, 0x7d])
      const worker = yield* Worker.start({ "user.create": () => Effect.void })
      yield* server.cli("XADD", names.stream, "*", "data", bytes, "note", bytes)
      yield* eventually("the letter is there", Effect.map(deadLetters.count(), (count) => count === 1))
      yield* worker.drain
      const [letter] = (yield* deadLetters.list()).letters
      assert.strictEqual(letter!.reason, "malformed")
      const details = yield* deadLetters.inspect(letter!.id)
      assert.isTrue(details.binary)
      assert.deepStrictEqual(details.action, Result.fail("The entry is not valid UTF-8"))
      assert.strictEqual((yield* deadLetters.dryRun(UserActions)).failing[0]?.issue, "The entry is not valid UTF-8")
      yield* deadLetters.replay(letter!.id)
      const hex = "local out = {} for i, value in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')[1][2]) do " +
        "out[i] = value:gsub('.', function(c) return string.format('%02x', c:byte()) end) end return out"
      const text = (value: Uint8Array | string) => Buffer.from(value).toString("hex")
      assert.deepStrictEqual(
        yield* server.cli("EVAL", hex, 1, names.stream),
        ["data", bytes, "note", bytes, "replays", "1"].map(text)
      )
    }))

  test("moves no letter when it may not remove it", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer
      const { environment, names } = yield* Place
      const id = yield* bury()
      const user = `limited-${environment}`
      yield* server.cli("ACL", "SETUSER", user, "on", "nopass", "~*", "+@all", "-xdel")
      const IoRedis = yield* Effect.promise(() => import("../../src/IoRedis.ts"))
      const error = yield* Effect.gen(function*() {
        const deadLetters = yield* DeadLetter.make()
        return yield* Effect.flip(deadLetters.replay(id))
      }).pipe(Effect.provide(IoRedis.layerOptions({ url: `redis://${user}:x@127.0.0.1:${server.port}` })))
      assert.strictEqual(error._tag, "RedisError")
      assert.strictEqual(yield* length(names.stream), 0)
      assert.deepStrictEqual(yield* letterIds, [id])
    }))
})

inMemory("A worker bounds the dead letters", (test) => {
  const warnings = Effect.map(
    Place,
    ({ logs }) =>
      logs.filter((line) => line.level === "Warn" && line.text.includes("dead letter")).map((line) => line.text)
  )

  test("by number: it warns at 90 %, once, and says how many it drops", () =>
    Effect.gen(function*() {
      const { names, pass } = yield* Place
      yield* Worker.start({}, { deadLetters: { maxCount: 100 } })
      yield* buryMany(89)
      yield* pass("30 seconds")
      assert.deepStrictEqual(yield* warnings, [])
      yield* buryMany(6)
      yield* pass("30 seconds")
      assert.strictEqual((yield* warnings).length, 1)
      assert.match(
        (yield* warnings)[0]!,
        /^95 dead letters are in .*, which keeps 100: the oldest are dropped beyond that\. /
      )
      yield* buryMany(25)
      const ids = yield* letterIds
      yield* pass("30 seconds")
      assert.deepStrictEqual(yield* letterIds, ids.slice(20))
      assert.strictEqual((yield* warnings).length, 2)
      assert.match((yield* warnings)[1]!, /^Dropped the 20 oldest dead letters of .*/)
      yield* send("DEL", names.deadLetters)
      yield* pass("30 seconds")
      yield* buryMany(95)
      yield* pass("30 seconds")
      assert.strictEqual((yield* warnings).length, 3)
    }))

  test("only after it has warned", () =>
    Effect.gen(function*() {
      const { pass } = yield* Place
      yield* buryMany(300)
      yield* Worker.start({}, { deadLetters: { maxCount: 100 } })
      yield* pass("10 seconds")
      assert.strictEqual((yield* letterIds).length, 300)
      assert.match((yield* warnings)[0]!, /^300 dead letters/)
      yield* pass("10 seconds")
      assert.strictEqual((yield* letterIds).length, 100)
    }))

  test("by age: the oldest go, also one by one", () =>
    Effect.gen(function*() {
      const { pass } = yield* Place
      yield* Worker.start({}, { deadLetters: { maxAge: "10 minutes" } })
      const first = yield* bury()
      yield* pass("5 minutes")
      const second = yield* bury()
      yield* pass("3 minutes")
      assert.deepStrictEqual(yield* warnings, [])
      yield* pass("90 seconds")
      assert.match(
        (yield* warnings)[0]!,
        /^The oldest dead letter in .* is 9m.* old: letters older than 10m are dropped/
      )
      assert.deepStrictEqual(yield* letterIds, [first, second])
      yield* pass("1 minute")
      assert.deepStrictEqual(yield* letterIds, [second])
      yield* pass("5 minutes")
      assert.deepStrictEqual(yield* letterIds, [])
    }))

  test("as far as its options say, or not at all", () =>
    Effect.gen(function*() {
      const { pass } = yield* Place
      yield* buryMany(50)
      yield* Worker.start({}, { deadLetters: { maxCount: Infinity, maxAge: Infinity } })
      yield* pass("20 minutes")
      assert.strictEqual((yield* letterIds).length, 50)
      const error = yield* Effect.flip(Worker.start({}, { deadLetters: { maxCount: 0 } }))
      assert.deepInclude(error, { _tag: "InvalidOption", option: "deadLetters.maxCount" })
    }))
})
