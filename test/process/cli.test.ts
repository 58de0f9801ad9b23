/** The command line `redis-workers` as a process, against a real server. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as DeadLetter from "../../src/DeadLetter.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import { jsonOf, redisWorkers } from "../support/commandLine.ts"
import * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"

class Declined extends Schema.TaggedError<Declined>()("Declined", { why: Schema.String }) {
  override get message(): string {
    return this.why
  }
}

const Charge = Action.make("shop.charge", { payload: { card: Schema.String }, error: Declined })
const Add = Action.make("shop.add", { payload: { a: Schema.Int, b: Schema.Int }, success: { sum: Schema.Int } })

/** It clears the screen, hides what follows, and reads backwards. */
const hostile = "\u001b[2J\u001b[31mred\u0007\u202edesrever\u2069\u009b1m\nsecond line"

const run = (...args: ReadonlyArray<string>) => Effect.flatMap(Server.RedisServer, ({ url }) => redisWorkers(url, args))

const all = <const Commands extends ReadonlyArray<ReadonlyArray<string>>>(...commands: Commands) =>
  Effect.forEach(commands, (args) => run(...args), { concurrency: 3 })

const dependencies = (service: string) =>
  Layer.unwrap(Effect.map(Server.RedisServer, ({ url }) =>
    Layer.merge(IoRedis.layer, QueueNaming.layer).pipe(
      Layer.provideMerge(Settings.layerOf({ serviceName: service, block: "500 millis", redis: { url } }))
    )))

const keysOf = (value: unknown): ReadonlyArray<string> => Object.keys(value as object).sort()

/** Nothing that a terminal acts on, besides the end of a line. */
const assertPlain = (text: string) => assert.notMatch(text, /[^\P{Cc}\n]|\p{Cf}/u)

layer(Server.layer(), { excludeTestServices: true, timeout: 60_000 })("the command line", (it) => {
  it.effect(
    "shows dead letters with hostile texts escaped, and replays and discards those that match",
    () =>
      Effect.gen(function*() {
        const handlers = ActionGroup.make(Charge, Add).handlers({
          "shop.charge": () => Effect.fail(new Declined({ why: hostile })),
          "shop.add": ({ a, b }) => Effect.succeed({ sum: a + b })
        })
        const context = yield* Layer.build(
          Layer.mergeAll(ActionClient.layer, DeadLetter.layer).pipe(Layer.provideMerge(dependencies("shop")))
        )
        yield* Effect.gen(function*() {
          yield* Worker.start(handlers)
          const client = yield* ActionClient.ActionClient
          yield* client.sendMany(Charge, [{ card: "4111" }, { card: "4222" }, { card: "4333" }])
          const letters = yield* DeadLetter.DeadLetter
          yield* until("all are dead", Effect.map(letters.count(), (count) => count === 3))
          const [first] = (yield* letters.list()).letters

          const [list, json, groups, one, withPayload, dry, unsure, answer] = yield* all(
            ["dead", "ls", "-s", "shop"],
            ["dead", "ls", "-s", "shop", "--json", "-n", "2"],
            ["dead", "groups", "-s", "shop", "--json"],
            ["dead", "show", first!.id, "-s", "shop"],
            ["dead", "show", first!.id, "-s", "shop", "--payload", "--json"],
            ["dead", "discard", "-s", "shop", "--error", "Declined", "--dry-run", "--json"],
            ["dead", "discard", "-s", "shop", "--error", "Declined"],
            ["request", "shop.add", "{\"a\":1,\"b\":2}", "--json"]
          )
          assert.strictEqual(list.status, 0, list.stderr)
          assertPlain(list.stdout)
          assert.include(list.stdout, "\\x1b[2J\\x1b[31mred\\x07\\u{202e}desrever\\u{2069}\\x9b1m\\nsecond line")
          assert.notInclude(list.stdout, "4111")

          const page = jsonOf(json!) as { readonly letters: ReadonlyArray<object>; readonly cursor: string }
          assert.deepStrictEqual(keysOf(page), ["cursor", "letters"])
          assert.strictEqual(page.letters.length, 2)
          assert.deepStrictEqual(keysOf(page.letters[0]), [
            "actionId",
            "actionType",
            "attempts",
            "consumer",
            "deliveries",
            "entryId",
            "errorCode",
            "errorType",
            "fields",
            "group",
            "hasAnswer",
            "hops",
            "id",
            "message",
            "reason",
            "size",
            "time"
          ])
          assertPlain(json!.stdout)
          assert.strictEqual((page.letters[0] as { message: string }).message, first!.message)

          const summary = jsonOf(groups!) as { readonly total: number; readonly groups: ReadonlyArray<object> }
          assert.deepStrictEqual(keysOf(summary), ["groups", "total"])
          assert.deepStrictEqual(keysOf(summary.groups[0]), [
            "actionType",
            "count",
            "errorType",
            "newest",
            "oldest",
            "reason"
          ])
          assert.strictEqual(summary.total, 3)

          assert.strictEqual(one!.status, 0, one!.stderr)
          assert.notInclude(one!.stdout, "4111")
          assertPlain(one!.stdout)
          assert.include((jsonOf(withPayload!) as { payload: string }).payload, "4111")

          assert.deepStrictEqual(jsonOf(dry!), { dryRun: true, matched: 3, discarded: 0 })
          assert.strictEqual(unsure!.status, 2)
          assert.include(unsure!.stderr, "--yes")
          assert.strictEqual(yield* letters.count(), 3)
          assert.deepStrictEqual(jsonOf(answer!), { dryRun: false, type: "shop.add", answer: { sum: 3 } })

          const replay = ["dead", "replay", "-s", "shop", "--type", "shop.charge", "--yes", "--json"]
          assert.deepStrictEqual(jsonOf(yield* run(...replay)), {
            dryRun: false,
            matched: 3,
            replayed: 3,
            missing: 0,
            refused: 0,
            entryId: null
          })
          yield* until(
            "all have failed again",
            Effect.map(letters.count({ newerThan: "1 hour" }), (count) => count === 3)
          )
          const discard = ["dead", "discard", "-s", "shop", "--all", "--yes", "--json"]
          assert.deepStrictEqual(jsonOf(yield* run(...discard)), { dryRun: false, matched: 3, discarded: 3 })
          const again = yield* run(...discard)
          assert.strictEqual(again.status, 1)
          assert.strictEqual(
            (JSON.parse(again.stderr) as { error: { message: string } }).error.message,
            "No dead letter matches. Nothing was done"
          )
        }).pipe(Effect.provide(context))
      }).pipe(Effect.scoped),
    90_000
  )

  it.effect(
    "ends with the documented status, and says on the standard error output what is wrong",
    () =>
      Effect.gen(function*() {
        const [help, noService, unknown, notJson, notThere, badTime, badSettings, missingContracts] = yield* all(
          ["dead", "--help"],
          ["dead", "ls"],
          ["ded", "ls", "-s", "shop"],
          ["send", "shop.add", "{"],
          ["dead", "show", "1-1", "-s", "shop", "--json"],
          ["dead", "ls", "-s", "shop", "--older-than", "soon"],
          ["dead", "ls", "-s", "shop", "-e", "a b"],
          ["dead", "dry-run", "-s", "shop", "--contracts", "./not-there.ts"]
        )
        assert.strictEqual(help.status, 0)
        assert.include(help.stdout, "replay")
        const statuses = [noService, unknown, notJson, notThere, badTime, badSettings, missingContracts]
          .map((result) => result!.status)
        assert.deepStrictEqual(statuses, [2, 2, 2, 1, 2, 2, 2])
        assert.include(noService!.stderr, "--service")
        assert.include(unknown!.stderr, "dead")
        assert.include(notJson!.stderr, "not JSON")
        assert.deepStrictEqual(keysOf((JSON.parse(notThere!.stderr) as { error: object }).error), [
          "message",
          "status",
          "tag"
        ])
        assert.include(badTime!.stderr, "\"soon\" is not a time")
        assert.include(badSettings!.stderr, "ENVIRONMENT")
        assert.include(missingContracts!.stderr, "not-there.ts")
        for (const result of [noService, unknown, notJson, notThere, badTime]) assert.strictEqual(result!.stdout, "")

        const away = yield* redisWorkers("redis://127.0.0.1:1", ["dead", "ls", "-s", "shop"])
        assert.strictEqual(away.status, 3)
        assert.include(away.stderr, "127.0.0.1:1")
      }),
    60_000
  )

  it.effect("names the command that a Redis user lacks, with status 4", () =>
    Effect.gen(function*() {
      const server = yield* Server.RedisServer
      yield* server.cli("ACL", "SETUSER", "reader", "on", ">secret", "~*", "+ping", "+xlen", "+client|setname")
      const env = { REDIS_USERNAME: "reader", REDIS_PASSWORD: "secret" }
      const result = yield* redisWorkers(server.url, ["dead", "ls", "-s", "shop"], { env })
      assert.strictEqual(result.status, 4, result.stderr)
      assert.match(result.stderr, /may not run [A-Z]+.*redis-workers acl operator/s)
      assert.notInclude(result.stderr, "secret")
    }), 60_000)

  it.effect("follows new actions and new dead letters, and ends at Ctrl+C", () =>
    Effect.gen(function*() {
      const { cli, url } = yield* Server.RedisServer
      const stream = "nooble4:dev:tailed:streams:main"
      yield* cli("XADD", stream, "1-1", "data", "{\"action_type\":\"tailed.before\"}")
      const tail = yield* Effect.forkChild(
        redisWorkers(url, ["tail", "-s", "tailed", "--json"], {
          until: (output) => output.includes("\"kind\":\"dead\"") && output.includes("\"kind\":\"entry\"")
        }),
        { startImmediately: true }
      )
      const add = Effect.gen(function*() {
        yield* cli("XADD", stream, "*", "data", "{\"action_type\":\"tailed.after\",\"action_id\":\"a\"}")
        yield* cli("XADD", "nooble4:dev:tailed:streams:dead", "*", "reason", "poison", "message", "m")
        yield* Effect.sleep("200 millis")
      })
      const adding = yield* Effect.forkChild(Effect.forever(add))
      const result = yield* Fiber.join(tail)
      yield* Fiber.interrupt(adding)
      assert.strictEqual(result.status, 130, result.stderr)
      assert.notInclude(result.stdout, "tailed.before")
      const first = JSON.parse(result.stdout.split("\n")[0]!) as object
      assert.deepStrictEqual(keysOf(first), [
        "actionId",
        "actionType",
        "error",
        "id",
        "kind",
        "payload",
        "reason",
        "time"
      ])
    }), 60_000)

  it.effect(
    "sends with a receipt that reads back, for later too, and nothing in a dry run",
    () =>
      Effect.gen(function*() {
        const { cli } = yield* Server.RedisServer
        const [sent, dry, early, bash, zsh, fish] = yield* all(
          ["send", "mail.send", "{\"to\":\"a\"}", "--id", "order 7", "--json"],
          ["send", "mail.send", "--dry-run", "--json"],
          ["send", "mail.send", "--delay", "10m", "--json"],
          ["--completions", "bash"],
          ["--completions", "zsh"],
          ["--completions", "fish"]
        )
        assert.deepStrictEqual(keysOf(jsonOf(sent)), ["actionId", "dryRun", "receipt", "state", "type"])
        assert.strictEqual((jsonOf(sent) as { state: string }).state, "sent")
        assert.strictEqual((jsonOf(dry!) as { dryRun: boolean }).dryRun, true)
        assert.strictEqual(yield* cli("XLEN", "nooble4:dev:mail:streams:main"), 1)
        assert.strictEqual(early!.status, 1)
        assert.include(early!.stderr, "NotSupported")
        for (const [shell, result] of [["bash", bash], ["zsh", zsh], ["fish", fish]] as const) {
          assert.strictEqual(result!.status, 0, shell)
          assert.include(result!.stdout, "discard", shell)
        }
      }),
    60_000
  )
})
