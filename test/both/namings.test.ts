/**
 * Namings of a user's own: what the library derives from them, what it never hands them, and which it refuses to start with.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as DeadLetter from "../../src/DeadLetter.ts"
import { RetryLater } from "../../src/HandlerError.ts"
import {
  accepts,
  actionStream,
  callbackInbox,
  callbackList,
  consumer,
  deadLetterStream,
  inbox,
  namesOf,
  responseList,
  statisticsKey,
  statisticsMark
} from "../../src/internal/redis/names.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Worker from "../../src/Worker.ts"
import { entriesOf, eventually, inMemory, onBoth, Place, send } from "../support/layers.ts"
import { backwards, tagged, wire } from "../support/namings.ts"
import { answersOf, quick, sendAction, settled, startWorker } from "../support/world.ts"

const kinds = ["response", "callback", "stream"] as const
const uuid = "3f0c1b9e-6f0a-4d8e-9a53-2b1f6f0a77aa"

/** The slot of a key on a Redis Cluster: CRC16 (XMODEM) of its hash tag, or of all of it. */
const slotOf = (key: string): number => {
  const open = key.indexOf("{")
  const close = key.indexOf("}", open + 1)
  const hashed = open >= 0 && close > open + 1 ? key.slice(open + 1, close) : key
  let crc = 0
  for (const byte of new TextEncoder().encode(hashed)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
    crc &= 0xffff
  }
  return crc % 16_384
}

/** Keys that later versions will have: a naming that exists today gives them as well. */
const toCome = (naming: QueueNaming.QueueNamingShape, service: string): ReadonlyArray<string> => [
  naming.key(service, "parked", "entries"),
  naming.key(service, "schedules", "specs"),
  naming.key(service, "unique", "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12"),
  ...statisticsOf(naming, service, "29711763")
]

/** The keys of statistics that have this number or id. */
const statisticsOf = (naming: QueueNaming.QueueNamingShape, service: string, id: string): ReadonlyArray<string> => [
  statisticsKey(naming, service, "minute", id),
  statisticsKey(naming, service, "quarter", id),
  statisticsMark(naming, service, id)
]

/** All that is kept for one service, whoever writes it. */
const keysOf = (naming: QueueNaming.QueueNamingShape, service: string): ReadonlyArray<string> => {
  const names = namesOf(naming, service)
  return [
    names.stream,
    names.deadLetters,
    names.retryDue,
    names.retryRecords,
    names.lease,
    callbackInbox(naming, service, `${service}.done`),
    callbackList(naming, service, `${service}.done`, uuid),
    ...toCome(naming, service)
  ]
}

describe("slots", () => {
  it("are those of the server", () => {
    // As CLUSTER KEYSLOT answers.
    assert.deepStrictEqual(["123456789", "foo", "a{foo}b", "foo{}bar", "{user1000}.following"].map(slotOf), [
      12_739,
      12_182,
      12_182,
      slotOf("foo{}bar"),
      slotOf("user1000")
    ])
  })

  it("of all keys of a service are the same where the service is a hash tag", () => {
    const naming = tagged("dev")
    for (const service of ["user", "mail_out", "User-2"]) {
      const keys = [
        ...keysOf(naming, service),
        inbox(naming, "shop", service, uuid),
        inbox(naming, "web", service, uuid)
      ]
      assert.deepStrictEqual(keys.map(slotOf), keys.map(() => slotOf(service)))
      assert.strictEqual(new Set(keys).size, keys.length)
    }
  })

  it("of response lists are those of the service that asks", () => {
    const naming = tagged("dev")
    assert.strictEqual(slotOf(responseList(naming, "shop", "user.create", uuid)), slotOf("shop"))
    assert.notStrictEqual(slotOf("shop"), slotOf("user"))
  })
})

for (const [title, make] of Object.entries({ wire, backwards, tagged })) {
  describe(`the naming "${title}"`, () => {
    const naming = make("dev")

    it("gives every purpose a key of its own, and accepts only what is for others", () => {
      const lists: ReadonlyArray<readonly [string, ReadonlyArray<QueueNaming.Kind>]> = [
        [actionStream(naming, "user"), ["stream"]],
        [responseList(naming, "user", "user.create", uuid), ["response"]],
        [inbox(naming, "user", "mail", uuid), ["response"]],
        [callbackInbox(naming, "user", "user.done"), ["callback"]],
        [callbackList(naming, "user", "user.done", uuid), ["callback"]]
      ]
      const { deadLetters, lease, retryDue, retryRecords } = namesOf(naming, "user")
      const own = [deadLetters, retryDue, retryRecords, lease, ...toCome(naming, "user")].map((key) =>
        [key, []] as const
      )
      for (const [key, expected] of [...lists, ...own]) {
        assert.deepStrictEqual(kinds.filter((kind) => accepts(naming)(key, kind)), expected, key)
      }
      assert.strictEqual(new Set([...lists, ...own].map(([key]) => key)).size, lists.length + own.length)
    })

    it("takes no name of another environment", () => {
      const other = make("prod")
      for (const key of [actionStream(other, "user"), callbackInbox(other, "user", "user.done")]) {
        assert.deepStrictEqual(kinds.filter((kind) => accepts(naming)(key, kind)), [], key)
      }
    })
  })
}

describe("a naming of one's own", () => {
  /** Fails the test when it is asked about anything that could break a name. */
  const trusting: QueueNaming.QueueNamingShape = {
    key: (...parts) => {
      for (const part of parts) assert.match(part, /^[A-Za-z0-9_.-]+$/)
      return parts.join("|")
    },
    group: (service) => service,
    consumer: (...parts) => parts.join("|"),
    targetService: (type) => type,
    inbox: (...parts) => parts.join("|"),
    accepts: () => {
      throw new Error("asked")
    }
  }
  const hostile = [
    "",
    "a:b",
    "a|b",
    "a/b",
    "{a}",
    "a b",
    "a*",
    "a?",
    "[a]",
    "a\\",
    "a\n",
    "a\u0000",
    "ñ",
    "x".repeat(200)
  ]

  for (const part of hostile) {
    it(`never sees the part ${JSON.stringify(part.slice(0, 20))}`, () => {
      const builders: ReadonlyArray<() => string> = [
        () => actionStream(trusting, part),
        () => deadLetterStream(trusting, part),
        () => callbackInbox(trusting, part, "user.done"),
        () => callbackInbox(trusting, "user", part),
        () => callbackList(trusting, "user", "user.done", part),
        () => responseList(trusting, part, "user.create", uuid),
        () => responseList(trusting, "user", part, uuid),
        () => responseList(trusting, "user", "user.create", part),
        () => inbox(trusting, part, "user", uuid),
        () => inbox(trusting, "user", part, uuid),
        () => inbox(trusting, "user", "user", part),
        () => consumer(trusting, part, "a", uuid),
        () => consumer(trusting, "user", "a", part),
        () => namesOf(trusting, part).stream,
        () => namesOf({ ...trusting, group: () => part }, "user").group
      ]
      for (const build of builders) assert.throws(build, QueueNaming.QueueNameError)
      if (part !== "") assert.throws(() => consumer(trusting, "user", part, uuid), QueueNaming.QueueNameError)
    })
  }

  it("is asked about no name that is empty, too long or holds control characters, and to throw is to refuse", () => {
    const asked: Array<string> = []
    const generous = accepts({
      ...trusting,
      accepts: (name) => {
        asked.push(name)
        return true
      }
    })
    for (const name of ["", "a".repeat(1025), "a\nb", "a\r", "a\u0000", "\u001b[2J", "a\u007f"]) {
      assert.isFalse(generous(name, "response"), JSON.stringify(name.slice(0, 10)))
    }
    assert.isTrue(generous("a".repeat(1024), "response"))
    assert.strictEqual(asked.length, 1)
    assert.isFalse(accepts(trusting)("a", "response"))
  })
})

const Greet = Action.make("user.greet", { payload: { name: Schema.String }, success: { text: Schema.String } })
const Greeted = Action.make("order.greeted", { payload: { text: Schema.String } })
const Stumble = Action.make("user.stumble", { payload: { until: Schema.Int }, success: { attempt: Schema.Int } })
const SendMail = Action.make("mail.send", { payload: { to: Schema.String }, success: { mailId: Schema.String } })

/** The workers of `user`, `mail` and `order`. */
const startAll = Effect.gen(function*() {
  const got: Array<string> = []
  const options = { ...quick, maxAttempts: 3, retry: Schedule.spaced("15 millis") }
  yield* Worker.start(
    ActionGroup.make(Greet, Stumble).handlers({
      "user.greet": ({ name }) => Effect.succeed({ text: `hello ${name}` }),
      "user.stumble": ({ until }, { attempt }) =>
        attempt < until ? Effect.fail(new RetryLater()) : Effect.succeed({ attempt })
    }),
    { ...options, service: "user" }
  )
  yield* Worker.start(
    ActionGroup.make(SendMail).handlers({ "mail.send": ({ to }) => Effect.succeed({ mailId: `to ${to}` }) }),
    { ...options, service: "mail" }
  )
  yield* Worker.start(
    ActionGroup.make(Greeted).handlers({ "order.greeted": ({ text }) => Effect.sync(() => void got.push(text)) }),
    { ...options, service: "order" }
  )
  return got
})

/** Lets time pass until it is done. */
const awaited = Effect.fnUntraced(function*<A, E, R>(effect: Effect.Effect<A, E, R>) {
  const fiber = yield* Effect.forkChild(effect)
  yield* eventually("it is done", Effect.sync(() => fiber.pollUnsafe() !== undefined))
  return yield* Fiber.join(fiber)
})

/** The lists that actions in the stream of a service want their answers in. */
const listsAsked = Effect.fnUntraced(function*(stream: string) {
  const rows = yield* entriesOf(stream)
  return rows.map(([, fields]) => /"callback_queue_name":"([^"]+)"/.exec(fields[1] ?? "")?.[1] ?? "")
})

for (const [title, make, lists] of [["backwards", backwards, 1], ["tagged", tagged, 2]] as const) {
  onBoth(`with the naming "${title}"`, (test) => {
    const provided = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      Effect.flatMap(
        Place,
        ({ environment }) => Effect.provide(effect, QueueNaming.layerOf(make(environment)))
      )

    test("requests, callbacks, retries and dead letters work, and every key is one of the naming", () =>
      provided(Effect.gen(function*() {
        const { environment } = yield* Place
        const naming = yield* QueueNaming.QueueNaming
        const got = yield* startAll
        const client = yield* ActionClient.make()
        assert.deepStrictEqual(yield* awaited(client.request(Greet, { name: "ana" })), { text: "hello ana" })
        assert.deepStrictEqual(yield* awaited(client.request(SendMail, { to: "ana" })), { mailId: "to ana" })
        assert.deepStrictEqual(yield* awaited(client.request(Stumble, { until: 3 })), { attempt: 3 })
        yield* client.sendWithCallback(Greet, { name: "ida" }, { callback: Greeted })
        yield* client.sendWithCallback(Greet, { name: "eva" }, { callback: { action: Greeted, to: "stream" } })
        yield* eventually("both callbacks are handled", Effect.sync(() => got.length === 2))
        assert.sameMembers(got, ["hello ida", "hello eva"])
        const alone = yield* ActionClient.make({ inbox: "per-request" })
        assert.deepStrictEqual(yield* awaited(alone.request(Greet, { name: "uma" })), { text: "hello uma" })

        yield* client.send(Stumble, { until: 9 })
        const deadLetters = yield* DeadLetter.make()
        yield* eventually("it is given up", Effect.map(deadLetters.count(), (count) => count === 1))
        const { letters } = yield* deadLetters.list()
        assert.strictEqual(letters[0]?.reason, "exhausted")
        yield* deadLetters.replay(letters[0]!.id)
        yield* eventually("it is given up again", Effect.map(deadLetters.count(), (count) => count === 1))

        const keys = (yield* send<ReadonlyArray<string>>("KEYS", `*${environment}*`)).toSorted()
        const services = ["user", "mail", "order"].map((service) => namesOf(naming, service))
        const known = new Set(services.flatMap((names) => Object.values(names)))
        const isStatistics = (key: string) =>
          [...key.matchAll(/[0-9a-f-]{7,}/g)].some(([id]) =>
            services.some(({ service }) => statisticsOf(naming, service, id).includes(key))
          )
        const others = keys.filter((key) => !known.has(key) && !accepts(naming)(key, "response") && !isStatistics(key))
        assert.deepStrictEqual(others, [])
      })))

    test(`answers of two services come to ${lists === 1 ? "one list" : "a list each"}, gone with the client`, () =>
      provided(Effect.gen(function*() {
        const naming = yield* QueueNaming.QueueNaming
        const scope = yield* Scope.make()
        const client = yield* Scope.provide(ActionClient.make(), scope)
        const asking = yield* Effect.forkChild(
          Effect.all([
            Effect.exit(client.request(Greet, { name: "ana" }, { timeout: "1 hour" })),
            Effect.exit(client.request(SendMail, { to: "ana" }, { timeout: "1 hour" })),
            Effect.exit(client.request(SendMail, { to: "eva" }, { timeout: "1 hour", service: "user" }))
          ], { concurrency: "unbounded" })
        )
        const asked = Effect.map(
          Effect.all([listsAsked(actionStream(naming, "user")), listsAsked(actionStream(naming, "mail"))]),
          (lists) => lists.flat()
        )
        yield* eventually("all are asked", Effect.map(asked, (lists) => lists.length === 3))
        const inboxes = [...new Set(yield* asked)]
        assert.strictEqual(inboxes.length, lists)
        yield* Effect.sync(() => asking.interruptUnsafe())
        yield* Scope.close(scope, Exit.void)
        for (const list of inboxes) yield* send("LPUSH", list, "left over")
        for (const list of inboxes) assert.strictEqual(yield* send("LLEN", list), 1, "nobody reads it any more")
      })))
  })
}

/** Namings that no worker may run with, and what it says. */
const unfit = (naming: QueueNaming.QueueNamingShape): ReadonlyArray<
  readonly [title: string, naming: QueueNaming.QueueNamingShape, message: RegExp]
> => [
  [
    "accepts every name",
    { ...naming, accepts: () => true },
    /as the key of stream: expected a key that its "accepts" refuses/
  ],
  [
    "accepts its dead letters as an action stream",
    { ...naming, accepts: (name, kind) => kind === "stream" && /streams.(main|dead)/.test(name) },
    /streams:dead" as the key of deadLetters: expected a key that its "accepts" refuses for the kind "stream"/
  ],
  [
    "accepts the lease of its group as a response list",
    { ...naming, accepts: (name, kind) => kind === "response" && name.endsWith("lease") },
    /as the key of lease: expected a key that its "accepts" refuses for the kind "response"/
  ],
  [
    "leaves out parts",
    { ...naming, key: (service, first = "") => naming.key(service, first) },
    /as the key of deadLetters: expected another than that of stream/
  ],
  [
    "has one list for callbacks and answers",
    {
      ...naming,
      key: (service, ...parts) => naming.key(service, ...parts).replace(/callbacks.*|responses.*/, "answers")
    },
    /as the key of a callback: expected another than that of an answer/
  ],
  [
    "has one consumer for all",
    { ...naming, consumer: (service) => service },
    /as a consumer: expected another for each id/
  ],
  [
    "has a group that breaks keys",
    { ...naming, group: (service) => `${service}:all` },
    /group "user:all" cannot be part/
  ]
]

inMemory("a worker", (test) => {
  for (const [index, [title, , message]] of unfit(wire("dev")).entries()) {
    test(`does not start, nor do dead letters, with a naming that ${title}`, () =>
      Effect.gen(function*() {
        const { environment } = yield* Place
        const [, naming] = unfit(wire(environment))[index]!
        const NamingLayer = QueueNaming.layerOf(naming)
        const failure = yield* Effect.flip(Effect.provide(startWorker(), NamingLayer))
        assert.deepInclude(failure, { _tag: "InvalidOption", option: "service" })
        assert.match(failure.message, message)
        const refused = yield* Effect.flip(Effect.provide(DeadLetter.make(), NamingLayer))
        assert.strictEqual(refused._tag, "QueueNameError")
        assert.match(refused.message, message)
        assert.deepStrictEqual(yield* send("KEYS", "*"), [])
      }))
  }

  test("outlives a message whose name makes the naming throw, and keeps the answer", () =>
    Effect.gen(function*() {
      const { environment } = yield* Place
      const naming = wire(environment)
      const list = "%E0%A4%A"
      const NamingLayer = QueueNaming.layerOf({
        ...naming,
        accepts: (name, kind) => naming.accepts(decodeURIComponent(name), kind)
      })
      yield* Effect.provide(startWorker(), NamingLayer)
      const hostile = yield* sendAction("ok", { expectation: "response", list })
      const next = yield* sendAction("ok", { expectation: "response" })
      yield* settled
      assert.strictEqual((yield* answersOf(next)).length, 1)
      assert.deepStrictEqual(yield* answersOf(hostile), [])
      const { letters } = yield* (yield* DeadLetter.make()).list()
      assert.deepStrictEqual(letters.map(({ reason }) => reason), ["undeliverable"])
    }))

  test("whose client has a naming that throws says so in a typed error", () =>
    Effect.gen(function*() {
      const naming = yield* QueueNaming.QueueNaming
      const fail = (): never => {
        throw new Error("no such service")
      }
      for (const broken of [{ ...naming, key: fail }, { ...naming, targetService: fail }, { ...naming, inbox: fail }]) {
        const client = yield* ActionClient.make().pipe(Effect.provide(QueueNaming.layerOf(broken)))
        const error = yield* Effect.flip(client.request(Greet, { name: "ana" }))
        assert.instanceOf(error, ActionClient.EncodeError)
        assert.match(error.message, /naming has no (?:names|stream) for this action/)
      }
      assert.deepStrictEqual(yield* send("KEYS", "*"), [])
    }))
})
