import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import {
  actionStream,
  callbackInbox,
  callbackList,
  consumer,
  deadLetterStream,
  inbox,
  namesOf,
  responseList,
  waitingConsumer
} from "../../src/internal/redis/names.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Settings from "../../src/Settings.ts"

const names = QueueNaming.make({ prefix: "nooble4", environment: "dev" })
const correlation = "3f0c1b9e-6f0a-4d8e-9a53-2b1f6f0a77aa"

// Parts that look like parts of other names, so that a property test meets a collision if there is one.
const tricky = [
  "streams",
  "main",
  "dead",
  "responses",
  "callbacks",
  "retries",
  "inbox",
  "due",
  "records",
  "lease",
  "group",
  "a",
  "a_b",
  "a-group",
  "b"
] as const

const Service = Schema.Union([Schema.Literals(tricky), Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{1,128}$/))])
const ActionType = Schema.Union([
  Schema.TemplateLiteral([Schema.Literals(tricky), ".", Schema.Literals(tricky)]),
  Schema.TemplateLiteral([Schema.Literals(tricky), ".", Schema.Literals(tricky), ".", Schema.Literals(tricky)]),
  Schema.String.check(
    Schema.isPattern(/^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+$/),
    Schema.isMaxLength(128)
  )
])
const Token = Schema.Union([
  Schema.Literals(tricky.filter((token) => token !== "inbox")),
  Schema.Literals([correlation]),
  Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_.-]{1,160}$/))
])

const builders = {
  actionStream: (service: string) => actionStream(names, service),
  deadLetterStream: (service: string) => deadLetterStream(names, service),
  retryDue: (service: string, _: string, token: string) => names.key(service, "retries", token, "due"),
  retryRecords: (service: string, _: string, token: string) => names.key(service, "retries", token, "records"),
  lease: (service: string, _: string, token: string) => names.key(service, "retries", token, "lease"),
  responseList: (service: string, type: string, token: string) => responseList(names, service, type, token),
  callbackList: (service: string, type: string, token: string) => callbackList(names, service, type, token),
  inbox: (service: string, _: string, token: string) => inbox(names, service, "user", token),
  callbackInbox: (service: string, type: string) => callbackInbox(names, service, type),
  // Keys of capabilities that are not there yet: nothing of a naming changes with them.
  parked: (service: string) => names.key(service, "parked", "entries"),
  schedules: (service: string) => names.key(service, "schedules", "specs"),
  unique: (service: string, _: string, token: string) => names.key(service, "unique", token)
}

const kindOf: Record<keyof typeof builders, QueueNaming.Kind | undefined> = {
  actionStream: "stream",
  deadLetterStream: undefined,
  retryDue: undefined,
  retryRecords: undefined,
  lease: undefined,
  responseList: "response",
  callbackList: "callback",
  inbox: "response",
  callbackInbox: "callback",
  parked: undefined,
  schedules: undefined,
  unique: undefined
}

const Builder = Schema.Literals([
  "actionStream",
  "deadLetterStream",
  "retryDue",
  "retryRecords",
  "lease",
  "responseList",
  "callbackList",
  "inbox",
  "callbackInbox",
  "parked",
  "schedules",
  "unique"
])

const Name = Schema.Struct({ builder: Builder, service: Service, type: ActionType, token: Token })

const build = ({ builder, service, token, type }: typeof Name.Type) => builders[builder](service, type, token)

const kinds = ["response", "callback", "stream"] as const

describe("QueueNaming", () => {
  describe("make", () => {
    const user = namesOf(names, "user")
    const expected = [
      [actionStream(names, "user"), "nooble4:dev:user:streams:main"],
      [deadLetterStream(names, "user"), "nooble4:dev:user:streams:dead"],
      [user.group, "user-group"],
      [consumer(names, "user", "internal-0", "9f2c41d07b3e"), "user-worker-internal-0-9f2c41d07b3e"],
      [consumer(names, "user", "", "9f2c41d07b3e"), "user-worker-9f2c41d07b3e"],
      [user.waitingConsumer, "user-waiting"],
      [user.stream, "nooble4:dev:user:streams:main"],
      [user.deadLetters, "nooble4:dev:user:streams:dead"],
      [user.retryDue, "nooble4:dev:user:retries:user-group:due"],
      [user.retryRecords, "nooble4:dev:user:retries:user-group:records"],
      [user.lease, "nooble4:dev:user:retries:user-group:lease"],
      [
        responseList(names, "orchestrator", "user.create", correlation),
        `nooble4:dev:orchestrator:responses:user_create:${correlation}`
      ],
      [
        callbackList(names, "ingestion", "embedding.batch.result", correlation),
        `nooble4:dev:ingestion:callbacks:embedding_batch_result:${correlation}`
      ],
      [inbox(names, "orchestrator", "user", "i-1"), "nooble4:dev:orchestrator:responses:inbox:i-1"],
      [callbackInbox(names, "ingestion", "embedding.result"), "nooble4:dev:ingestion:callbacks:embedding_result:inbox"]
    ] as const
    for (const [built, name] of expected) {
      it(`builds ${name}`, () => {
        assert.strictEqual(built, name)
      })
    }

    it("finds the target service before the first dot", () => {
      assert.strictEqual(names.targetService("user.create"), "user")
      assert.strictEqual(names.targetService("embedding.document.process"), "embedding")
    })

    for (
      const options of [{ prefix: "", environment: "dev" }, { prefix: "a b", environment: "dev" }, {
        prefix: "p",
        environment: "d:v"
      }]
    ) {
      it(`refuses ${JSON.stringify(options)}`, () => {
        assert.throws(() => QueueNaming.make(options), QueueNaming.QueueNameError)
      })
    }

    it("takes a prefix of several segments", () => {
      const shop = QueueNaming.make({ prefix: "shop:eu", environment: "prod" })
      assert.strictEqual(actionStream(shop, "user"), "shop:eu:prod:user:streams:main")
      assert.isTrue(shop.accepts(actionStream(shop, "user"), "stream"))
    })

    it("takes the dots of a prefix literally", () => {
      const shop = QueueNaming.make({ prefix: "shop.eu", environment: "v1.2" })
      assert.isTrue(shop.accepts("shop.eu:v1.2:user:streams:main", "stream"))
      assert.isFalse(shop.accepts("shop-eu:v1.2:user:streams:main", "stream"))
      assert.isFalse(shop.accepts("shop.eu:v1x2:user:streams:main", "stream"))
    })
  })

  describe("refusals", () => {
    for (const service of ["", "us er", "user:streams", "{user}", "user.create", "ñandú", "user\n", "x".repeat(129)]) {
      it(`no service is called ${JSON.stringify(service.slice(0, 20))}`, () => {
        assert.isTrue(Result.isFailure(QueueNaming.checkService(service)))
        assert.throws(() => actionStream(names, service), QueueNaming.QueueNameError)
        assert.throws(() => names.group(service), QueueNaming.QueueNameError)
      })
    }

    for (const service of ["user", "mock_service", "mi-servicio", "User2", "x".repeat(128)]) {
      it(`a service may be called ${service.slice(0, 20)}`, () => {
        assert.deepStrictEqual(QueueNaming.checkService(service), Result.succeed(service))
      })
    }

    for (
      const type of ["", "user", "user.", ".create", "user..create", "user.create:x", "user.cre ate", "{u}.c", "u.c\n"]
    ) {
      it(`no action type is ${JSON.stringify(type)}`, () => {
        assert.isTrue(Result.isFailure(QueueNaming.checkActionType(type)))
        assert.throws(() => responseList(names, "user", type, correlation), QueueNaming.QueueNameError)
        assert.throws(() => names.targetService(type), QueueNaming.QueueNameError)
      })
    }

    for (const part of ["", "a:b", "a/b", "{a}", "a b", "a*", "a?", "[a]", "a\n", "a\u0000", "ñ", "x".repeat(161)]) {
      it(`no part of a key is ${JSON.stringify(part.slice(0, 20))}`, () => {
        assert.throws(() => names.key("user", "unique", part), QueueNaming.QueueNameError)
        assert.throws(() => names.key("user", part, "entries"), QueueNaming.QueueNameError)
        assert.throws(() => inbox(names, "user", "user", part), QueueNaming.QueueNameError)
      })
    }

    it("no correlation id is the name of the shared list", () => {
      assert.throws(() => callbackList(names, "user", "a.b", "inbox"), QueueNaming.QueueNameError)
    })

    it("say what was found and what is allowed", () => {
      const error = Result.match(QueueNaming.checkService("us er"), {
        onFailure: (error) => error,
        onSuccess: () => assert.fail("accepted")
      })
      assert.strictEqual(error._tag, "QueueNameError")
      assert.strictEqual(
        error.message,
        "service \"us er\" cannot be part of a name in Redis: expected 1 to 128 letters, digits, \"_\" or \"-\""
      )
    })

    it("cut short what was found when it is long", () => {
      const found = Result.match(QueueNaming.checkActionType("x".repeat(1_000_000)), {
        onFailure: (error) => error.message,
        onSuccess: () => assert.fail("accepted")
      })
      assert.include(found, "… (1000000 characters)")
      assert.isBelow(found.length, 400)
    })
  })

  describe("accepts", () => {
    const python = `nooble4:dev:orchestrator:responses:user_create:${correlation}`
    const accepted = [
      [python, "response"],
      ["nooble4:dev:orchestrator:responses:shared", "response"],
      ["nooble4:dev:orchestrator:responses:a:b:c:d", "response"],
      ["nooble4:dev:orchestrator:responses:inbox:i-1", "response"],
      [`nooble4:dev:ingestion:callbacks:embedding_result:${correlation}`, "callback"],
      ["nooble4:dev:ingestion:callbacks:all", "callback"],
      ["nooble4:dev:user:streams:main", "stream"]
    ] as const
    for (const [name, kind] of accepted) {
      it(`${name} as ${kind} and as nothing else`, () => {
        assert.deepStrictEqual(kinds.filter((kind) => names.accepts(name, kind)), [kind])
      })
    }

    const refused = [
      "",
      "users",
      "nooble4:dev:user:streams:dead",
      "nooble4:dev:user:streams:main:x",
      "x:nooble4:dev:user:streams:main",
      "nooble4:dev:user:retries:user-group:due",
      "nooble4:dev:user:retries:user-group:records",
      "nooble4:dev:user:retries:user-group:lease",
      "nooble4:prod:user:responses:a:b",
      "other:dev:user:responses:a:b",
      "NOOBLE4:dev:user:responses:a:b",
      "nooble4:dev::responses:a:b",
      "nooble4:dev:user:x:responses:a:b",
      "nooble4:dev:user:responses",
      "nooble4:dev:user:responses:",
      "nooble4:dev:user:responses::a",
      "nooble4:dev:user:responses:a:",
      "nooble4:dev:user:responses:{a}",
      "nooble4:dev:user:responses:a b",
      "nooble4:dev:user:responses:a\n",
      "nooble4:dev:user:responses:a\u0000",
      "nooble4:dev:user:responses:ñ",
      "nooble4:dev:us{er:responses:a",
      `${python}${"x".repeat(2000)}`,
      `nooble4:dev:user:responses${":a".repeat(600)}`
    ]
    for (const name of refused) {
      it(`not ${JSON.stringify(name.slice(0, 60))}`, () => {
        assert.deepStrictEqual(kinds.filter((kind) => names.accepts(name, kind)), [])
      })
    }

    it.prop("a name that was built, for its kind and no other", { name: Name }, ({ name }) => {
      const kind = kindOf[name.builder]
      const key = build(name)
      assert.deepStrictEqual(kinds.filter((kind) => names.accepts(key, kind)), kind === undefined ? [] : [kind], key)
    }, { arbitrary: { runs: 1000 } })

    it.prop(
      "no name of another prefix or environment",
      {
        name: Name,
        prefix: Schema.Literals(["nooble4", "nooble", "x", "nooble4:dev"]),
        environment: Schema.Literals(["dev", "prod"])
      },
      ({ environment, name, prefix }) => {
        if (prefix === "nooble4" && environment === "dev") return
        const other = QueueNaming.make({ prefix, environment })
        assert.isFalse(kinds.some((kind) => other.accepts(build(name), kind)))
      }
    )
  })

  describe("keys", () => {
    it.prop("of two kinds are never the same", { left: Name, right: Name }, ({ left, right }) => {
      if (left.builder === right.builder) return
      assert.notStrictEqual(build(left), build(right))
    }, { arbitrary: { runs: 2000 } })

    it.prop("of one kind are the same only for the same parts", { left: Name, right: Name }, ({ left, right }) => {
      const other = { ...right, builder: left.builder }
      if (build(left) !== build(other)) return
      assert.strictEqual(left.service, other.service)
      // `a.b` and `a_b` read alike in a list; the correlation id behind them tells the lists apart.
      if (left.builder === "responseList" || left.builder === "callbackList" || left.builder === "callbackInbox") {
        assert.strictEqual(left.type.replaceAll(".", "_"), other.type.replaceAll(".", "_"))
      }
      if (
        ["retryDue", "retryRecords", "lease", "responseList", "callbackList", "inbox", "unique"].includes(left.builder)
      ) {
        assert.strictEqual(left.token, other.token)
      }
    }, { arbitrary: { runs: 2000 } })

    it.prop(
      "are never those of another service",
      { left: Name, right: Name },
      ({ left, right }) => {
        if (left.service === right.service) return
        assert.notStrictEqual(build(left), build(right))
      },
      { arbitrary: { runs: 2000 } }
    )

    it.prop(
      "of consumers are never the one that waits",
      { service: Service, suffix: Token, unique: Token },
      ({ service, suffix, unique }) => {
        assert.notStrictEqual(consumer(names, service, suffix, unique), waitingConsumer(service))
      }
    )
  })

  describe("layers", () => {
    it.effect("layer takes prefix and environment from the settings", () =>
      Effect.gen(function*() {
        const naming = yield* QueueNaming.QueueNaming
        assert.strictEqual(actionStream(naming, "user"), "shop:prod:user:streams:main")
      }).pipe(
        Effect.provide(
          QueueNaming.layer.pipe(
            Layer.provide(Settings.layerOf({ serviceName: "user", environment: "prod", queuePrefix: "shop" }))
          )
        )
      ))

    it.effect("layerOf replaces names", () =>
      Effect.gen(function*() {
        const naming = yield* QueueNaming.QueueNaming
        assert.strictEqual(deadLetterStream(naming, "user"), "user/streams/dead")
        assert.strictEqual(naming.group("user"), "user-group")
      }).pipe(
        Effect.provide(QueueNaming.layerOf({ ...names, key: (...parts) => parts.join("/") }))
      ))
  })
})
