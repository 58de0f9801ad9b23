/**
 * How large calls get: their arguments and bytes under load, and that one action that is larger than a call may be goes alone.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as DeadLetter from "../../src/DeadLetter.ts"
import { Rejected } from "../../src/HandlerError.ts"
import { callbackInbox } from "../../src/internal/redis/names.ts"
import { maxArguments, maxBytes, maxEntries, maxLetters } from "../../src/internal/scripts/bounds.ts"
import { boundLetters, replayLetters } from "../../src/internal/scripts/deadLetterMoves.ts"
import { moveCallbacks, trim } from "../../src/internal/scripts/streams.ts"
import { QueueNaming } from "../../src/QueueNaming.ts"
import { Redis, script } from "../../src/Redis.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import { entriesOf, eventually, onBoth, onServer, pendingOf, Place, send } from "../support/layers.ts"
import { entryIdOf } from "../support/receipts.ts"

const mebi = 1024 * 1024

interface Call {
  readonly what: string
  readonly words: number
  readonly bytes: number
}

/** Notes the size of each command on its way, scripts with their hash and number of keys. */
const noting = (redis: Redis["Service"], calls: Array<Call>): Redis["Service"] => {
  const note = (what: string, args: ReadonlyArray<string>): void => {
    calls.push({ what, words: args.length, bytes: args.reduce((sum, arg) => sum + Buffer.byteLength(arg), 0) })
  }
  const noted = (to: { readonly send: Redis["Service"]["send"]; readonly eval: Redis["Service"]["eval"] }) => ({
    send: ((command, ...args) => {
      note(command, [command, ...args])
      return to.send(command, ...args)
    }) as Redis["Service"]["send"],
    eval: ((script) => {
      const run = to.eval(script)
      return (...params) =>
        Effect.suspend(() => {
          const keysAndArguments = script.params(...params).map(String)
          note(script.lua.slice(0, 60), ["EVALSHA", "x".repeat(40), "1", ...keysAndArguments])
          return run(...params)
        })
    }) as Redis["Service"]["eval"]
  })
  return Redis.of({
    ...redis,
    ...noted(redis),
    reserve: Effect.map(redis.reserve, (connection) => ({ ...connection, ...noted(connection) }))
  })
}

/** What was called beyond the bounds. */
const beyond = (calls: ReadonlyArray<Call>): ReadonlyArray<Call> =>
  calls.filter(({ bytes, words }) => words > maxArguments || bytes > maxBytes)

const noted = Effect.gen(function*() {
  const calls: Array<Call> = []
  const redis = noting(yield* Redis, calls)
  return { calls, redis }
})

const Answer = Action.make("user.answer", {
  payload: { size: Schema.Int },
  success: { text: Schema.String }
})
const Fail = Action.make("user.fail", { payload: { size: Schema.Int } })
const Store = Action.make("user.store", { payload: { text: Schema.String } })

const handlers = ActionGroup.make(Answer, Fail, Store).handlers({
  "user.answer": ({ size }) => Effect.succeed({ text: "ß".repeat(size) }),
  "user.fail": ({ size }) => Effect.fail(new Rejected({ message: "ß".repeat(size), errorType: "NotFound" })),
  "user.store": () => Effect.void
})

const drained = (stream: string) =>
  eventually("all is settled", Effect.map(send<number>("XLEN", stream), (length) => length === 0))

const startedWith = (redis: Redis["Service"], options: Worker.WorkerOptions = {}) =>
  Worker.start(handlers, {
    block: "200 millis",
    shutdownGrace: "5 seconds",
    concurrency: 2_000,
    readAhead: 2_000,
    ...options
  }).pipe(Effect.provideService(Redis, redis))

onBoth("bounds of calls", (test) => {
  test(
    "sendMany splits what is more arguments than a call may have, whatever chunkSize says, and keeps the order",
    () =>
      Effect.gen(function*() {
        const { calls, redis } = yield* noted
        const { names } = yield* Place
        const client = yield* ActionClient.make({ chunkSize: 10_000 }).pipe(Effect.provideService(Redis, redis))
        const texts = Array.from({ length: 9_000 }, (_, n) => ({ text: String(n) }))
        const ids = (yield* client.sendMany(Store, texts)).map(entryIdOf)
        assert.strictEqual(new Set(ids).size, 9_000)
        assert.deepStrictEqual(beyond(calls), [])
        const rows = yield* send<ReadonlyArray<[string, [string, string]]>>("XRANGE", names.stream, "-", "+")
        assert.deepStrictEqual(rows.map(([id]) => id), ids)
        assert.deepStrictEqual(rows.map(([, [, data]]) => JSON.parse(data).data), texts)
      }),
    60_000
  )

  test("sendMany splits by bytes and not by characters", () =>
    Effect.gen(function*() {
      const { calls, redis } = yield* noted
      const { names } = yield* Place
      const client = yield* ActionClient.make().pipe(Effect.provideService(Redis, redis))
      for (
        const [text, count] of [["€".repeat(300_000), 12], ["x".repeat(1_500_000), 7], [
          "ß".repeat(900),
          4_000
        ]] as const
      ) {
        const before = calls.length
        yield* client.sendMany(Store, Array.from({ length: count }, () => ({ text })))
        assert.isAbove(calls.length - before, 1)
        assert.deepStrictEqual(beyond(calls), [])
      }
      assert.strictEqual(yield* send("XLEN", names.stream), 4_019)
    }), 60_000)

  test(
    "an action that is larger than a call may be is sent and answered in a call of its own",
    () =>
      Effect.gen(function*() {
        const { calls, redis } = yield* noted
        const { environment, names } = yield* Place
        const settings = Settings.layerOf({ serviceName: "user", environment, payloadLimit: 16 * mebi })
        yield* Effect.gen(function*() {
          const client = yield* ActionClient.make()
          const sizes = [10, 5 * mebi, 10, 10, 6 * mebi, 7 * mebi, 10]
          const ids = yield* client.sendMany(Store, sizes.map((size) => ({ text: "x".repeat(size) })))
          assert.strictEqual(ids.length, sizes.length)
          assert.deepStrictEqual(beyond(calls).map(({ words }) => words), [6, 6, 6])
          calls.length = 0
          yield* startedWith(redis)
          const answers = yield* Effect.forEach(
            [3, 3 * mebi, 4, 3 * mebi, 5],
            (size) => client.request(Answer, { size }),
            {
              concurrency: "unbounded"
            }
          )
          assert.deepStrictEqual(answers.map(({ text }) => text.length), [3, 3 * mebi, 4, 3 * mebi, 5])
          yield* drained(names.stream)
          const large = beyond(calls)
          assert.strictEqual(large.length, 2)
          // Each settles one entry.
          assert.deepStrictEqual(large.map(({ words }) => words <= 30), [true, true])
        }).pipe(Effect.provideService(Redis, redis), Effect.provide(settings))
      }),
    60_000
  )

  test(
    "callbacks and dead letters that are larger than a call may be move one at a time",
    () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        const { names } = yield* Place
        const list = `${names.stream}:list`
        for (const size of [5 * mebi, 10, 5 * mebi]) yield* send("LPUSH", list, "x".repeat(size))
        const move = redis.eval(moveCallbacks.script)({ stream: names.stream, lists: [list], limit: 100 })
        const moved: Array<unknown> = []
        for (let call = 0; call < 3; call++) moved.push(yield* move)
        assert.deepStrictEqual(moved, [[1, [], 1], [1, [], 1], [1, [], 0]])
        const letters: Array<string> = []
        for (const size of [5 * mebi, 10, 5 * mebi, 10]) {
          const notes = ["reason", "invalid", "entry_id", "1-1", "fields", "1", "data", "x".repeat(size)]
          letters.push(yield* send<string>("XADD", names.deadLetters, "*", ...notes))
        }
        let left: ReadonlyArray<string> = letters
        const replayed: Array<number> = []
        while (left.length > 0) {
          const reply = yield* redis.eval(replayLetters.script)({ ...names, maxHops: -1, budget: maxBytes, ids: left })
          assert.isTrue(Array.isArray(reply) && reply.length > 0)
          const count = Array.isArray(reply) ? reply.length / 2 : 0
          replayed.push(count)
          left = left.slice(count)
        }
        assert.deepStrictEqual(replayed, [1, 1, 1, 1])
        assert.strictEqual(yield* send("XLEN", names.stream), 7)
      }),
    60_000
  )

  test(
    "answers of a full batch go in calls within the bounds: many small ones, large ones, and failures",
    () =>
      Effect.gen(function*() {
        const { calls, redis } = yield* noted
        const { names } = yield* Place
        const client = yield* ActionClient.make()
        yield* startedWith(redis)
        const ask = (size: number, count: number) =>
          Effect.forEach(Array.from({ length: count }), () => client.request(Answer, { size }), {
            concurrency: "unbounded"
          })
        const small = yield* ask(3, 2_000)
        assert.strictEqual(small.length, 2_000)
        const large = yield* ask(500_000, 12)
        assert.deepStrictEqual(large.map(({ text }) => text.length), large.map(() => 500_000))
        const refused = yield* Effect.forEach(
          Array.from({ length: 1_500 }),
          () => Effect.flip(client.request(Fail, { size: 1_000 })),
          { concurrency: "unbounded" }
        )
        assert.isTrue(refused.every((error) => error._tag === "RemoteFailure"))
        yield* drained(names.stream)
        assert.deepStrictEqual(beyond(calls), [])
      }),
    90_000
  )

  test(
    "dead letters of entries with many fields and long errors are written in calls within the bounds",
    () =>
      Effect.gen(function*() {
        const { calls, redis } = yield* noted
        const { names } = yield* Place
        const fields = Array.from({ length: 60 }, (_, n) => [`n${n}`, "ß".repeat(50)]).flat()
        for (let n = 0; n < 600; n++) yield* send("XADD", names.stream, "*", ...fields)
        yield* startedWith(redis)
        yield* eventually(
          "all are buried",
          Effect.map(send<number>("XLEN", names.deadLetters), (length) => length === 600)
        )
        yield* drained(names.stream)
        assert.deepStrictEqual(beyond(calls), [])
        const letters = yield* DeadLetter.make().pipe(Effect.provideService(Redis, redis))
        assert.strictEqual((yield* letters.summary()).total, 600)
        assert.strictEqual((yield* letters.replayMany({}, { limit: 300 })).replayed, 300)
        assert.strictEqual(yield* letters.discardMany({}, { limit: 250 }), 250)
        assert.deepStrictEqual(beyond(calls), [])
      }),
    90_000
  )

  test(
    "a worker that holds thousands of entries renews and gives back within the bounds",
    () =>
      Effect.gen(function*() {
        const { calls, redis } = yield* noted
        const { names, pass } = yield* Place
        const client = yield* ActionClient.make()
        yield* client.sendMany(Store, Array.from({ length: 4_000 }, () => ({ text: "" })))
        const scope = yield* Scope.make()
        const hanging = ActionGroup.make(Store).handlers({ "user.store": () => Effect.never })
        yield* Worker.start(hanging, {
          block: "200 millis",
          shutdownGrace: 0,
          claimIdle: "2 seconds",
          concurrency: 4_000
        }).pipe(Effect.provideService(Redis, redis), Scope.provide(scope))
        yield* eventually("all are held", Effect.map(pendingOf(names), (pending) => pending.length === 4_000))
        const isRenewal = ({ what }: Call) => what.startsWith("local function before")
        const before = calls.filter(isRenewal).length
        yield* pass("1 second")
        yield* eventually("all are renewed", Effect.sync(() => calls.filter(isRenewal).length >= before + 10))
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(beyond(calls), [])
        assert.isAtMost(Math.max(...calls.filter(isRenewal).map(({ words }) => words)), 410)
      }),
    60_000
  )

  test("a worker of thousands of callback types looks at their lists within the bounds", () =>
    Effect.gen(function*() {
      const { calls, redis } = yield* noted
      const { names } = yield* Place
      const naming = yield* QueueNaming
      const actions = Array.from({ length: 4_000 }, (_, n) => Action.make(`user.a${n}`, { payload: {} }))
      const group = ActionGroup.make(...actions)
      const ran: Array<string> = []
      const byType = Object.fromEntries(actions.map(({ type }) => [type, () => Effect.sync(() => ran.push(type))]))
      // SAFETY: there is one handler for each type.
      yield* Worker.start(group.handlers(byType as never), { block: "200 millis", callbacks: true }).pipe(
        Effect.provideService(Redis, redis)
      )
      const encoded = (type: string) =>
        JSON.stringify({
          action_id: "00000001-0000-4000-8000-000000000001",
          action_type: type,
          timestamp: "2025-06-29T04:03:00.123456Z",
          data: {}
        })
      for (const type of ["user.a0", "user.a3999"]) {
        yield* send("LPUSH", callbackInbox(naming, names.service, type), encoded(type))
      }
      yield* eventually("both are run", Effect.sync(() => ran.length === 2))
      assert.deepStrictEqual(beyond(calls), [])
    }), 60_000)
})

/** Adds an entry and reads it in the name of a consumer, in one step. */
const lostRead = script(
  (
    stream: string,
    group: string,
    consumer: string,
    fields: ReadonlyArray<string>
  ) => [stream, group, consumer, ...fields],
  {
    lua: `redis.call('XADD', KEYS[1], '*', unpack(ARGV, 3))
redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', 1, 'STREAMS', KEYS[1], '>')`,
    numberOfKeys: 1
  }
)

onBoth("pages", (test) => {
  test(
    "a worker finds what it never got behind more than a page of entries that it holds",
    () =>
      Effect.gen(function*() {
        const { names, pass } = yield* Place
        const redis = yield* Redis
        const client = yield* ActionClient.make()
        const ran = new Set<string>()
        const hanging = ActionGroup.make(Store).handlers({
          "user.store": ({ text }) => Effect.andThen(Effect.sync(() => ran.add(text)), Effect.never)
        })
        yield* client.sendMany(Store, Array.from({ length: 900 }, (_, n) => ({ text: String(n) })))
        yield* Worker.start(hanging, {
          block: "200 millis",
          shutdownGrace: 0,
          claimIdle: "2 seconds",
          concurrency: 2_000,
          consumers: 1
        })
        yield* eventually("all are held", Effect.sync(() => ran.size === 900))
        const [row] = yield* pendingOf(names)
        const [[, fields] = ["", []]] = yield* entriesOf(names.stream)
        const again = fields.join("\0").replace("\"text\":\"0\"", "\"text\":\"again\"").split("\0")
        // The reply of this read never arrives: the entry is pending under the worker's name, and the worker knows nothing of it.
        yield* redis.eval(lostRead)(names.stream, names.group, String(row?.[1]), again)
        yield* pass("3 seconds")
        yield* eventually("it is run", Effect.sync(() => ran.has("again")))
      }),
    60_000
  )

  test("a filter of dead letters that names more than one call may have is refused before the first command", () =>
    Effect.gen(function*() {
      const { calls, redis } = yield* noted
      const letters = yield* DeadLetter.make().pipe(Effect.provideService(Redis, redis))
      const many = Array.from({ length: 1_001 }, (_, n) => `user.a${n}`)
      for (const filter of [{ actionType: many }, { errorType: many }]) {
        for (const operation of [letters.list(filter), letters.summary(filter), letters.discardMany(filter)]) {
          const error = yield* Effect.flip<unknown, unknown, never>(operation)
          assert.deepInclude(error, { _tag: "InvalidOption", found: "1001 names" })
        }
      }
      assert.deepStrictEqual(calls, [])
      assert.strictEqual((yield* letters.summary({ actionType: many.slice(1), errorType: many.slice(1) })).total, 0)
      assert.deepStrictEqual(beyond(calls), [])
    }))
})

onServer("large blocks", (test) => {
  test(
    "streams whose blocks are larger than one call of trimming are trimmed all the same",
    () =>
      Effect.gen(function*() {
        const { names } = yield* Place
        const redis = yield* Redis
        yield* send("CONFIG", "SET", "stream-node-max-entries", 1_000)
        yield* send("CONFIG", "SET", "stream-node-max-bytes", 0)
        yield* send("XGROUP", "CREATE", names.stream, names.group, "0", "MKSTREAM")
        for (const stream of [names.stream, names.deadLetters]) {
          for (let n = 1; n <= 2_500; n++) yield* send("XADD", stream, `1-${n}`, "a", "1")
        }
        yield* send("XGROUP", "SETID", names.stream, names.group, "$")
        yield* redis.eval(trim.script)({ stream: names.stream, limit: maxEntries, retain: 0 })
        assert.isAtMost(yield* send<number>("XLEN", names.stream), 500)
        yield* redis.eval(boundLetters.script)({ ...names, maxCount: -1, maxAge: 1_000, limit: maxLetters })
        assert.strictEqual(yield* send("XLEN", names.deadLetters), 0)
      }).pipe(
        Effect.ensuring(Effect.ignore(send("CONFIG", "SET", "stream-node-max-entries", 100))),
        Effect.ensuring(Effect.ignore(send("CONFIG", "SET", "stream-node-max-bytes", 4_096)))
      ),
    60_000
  )
})
