/** Names with hash tags, and slots as a server computes them. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { inbox, namesOf } from "../../src/internal/redis/names.ts"
import { slotOf } from "../../src/internal/redis/slot.ts"
import { siblings } from "../../src/internal/worker/environmentCheck.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Settings from "../../src/Settings.ts"
import * as Server from "../support/redisServer.ts"

const naming = QueueNaming.makeCluster({ prefix: "shop", environment: "prod" })

const keysOf = (service: string): ReadonlyArray<string> => {
  const { group: _, service: __, waitingConsumer: ___, ...keys } = namesOf(naming, service)
  return [...Object.values(keys), inbox(naming, "web", service, "x1"), inbox(naming, service, service, "x1")]
}

describe("names with hash tags", () => {
  it("put all keys of a service, and the answers that it gives, into one slot", () => {
    for (const service of ["user", "mail", "a", "b_c"]) {
      assert.strictEqual(new Set(keysOf(service).map(slotOf)).size, 1, service)
    }
    assert.notStrictEqual(slotOf(keysOf("user")[0]!), slotOf(keysOf("mail")[0]!))
  })

  it("name the client of an inbox, so that an ACL can", () => {
    assert.strictEqual(inbox(naming, "web", "user", "x1"), "{shop:prod:user}:responses:inbox:web.x1")
  })

  it("are looked for in other environments too, when nothing has ever come to a stream", () => {
    const found = siblings({ service: "user", stream: "{nooble4:test:user}:streams:main" })
    assert.deepInclude(found, { environment: "dev", stream: "{nooble4:dev:user}:streams:main" })
    assert.deepStrictEqual(siblings({ service: "user", stream: "{nooble4:test:user}x:streams:main" }), [])
  })

  it("fit the longest client and instance", () => {
    const name = inbox(naming, "c".repeat(128), "u".repeat(128), "i".repeat(160))
    assert.isTrue(naming.accepts(name, "response"))
  })

  it.each(
    [
      ["{shop:prod:user}:responses:inbox:web.x1", "response", true],
      ["{shop:prod:web}:callbacks:web_done:inbox", "callback", true],
      ["{shop:prod:mail}:streams:main", "stream", true],
      ["{shop:prod:mail}:streams:dead", "stream", false],
      ["{shop:prod:mail}:streams:main", "response", false],
      ["shop:prod:user:responses:inbox:web.x1", "response", false],
      ["{shop:dev:user}:responses:inbox:web.x1", "response", false],
      ["{shop:prod:user}x:responses:inbox:web.x1", "response", false],
      ["{shop:prod:user}:retries:user-group:due", "callback", false]
    ] as const
  )("accept %s as a %s: %s", (name, kind, expected) => {
    assert.strictEqual(naming.accepts(name, kind), expected)
  })

  it("are those of the layer when QUEUE_HASH_TAGS is set", () =>
    Effect.runPromise(
      QueueNaming.QueueNaming.use((naming) => Effect.succeed(naming.key("user", "streams", "main"))).pipe(
        Effect.provide(
          Layer.provide(QueueNaming.layer, Settings.layerOf({ serviceName: "user", queueHashTags: true }))
        )
      )
    ).then((key) => assert.strictEqual(key, "{nooble4:dev:user}:streams:main")))
})

describe("slots", () => {
  it.live("are those that a server computes, with and without hash tags", () =>
    Effect.gen(function*() {
      const server = yield* Server.start({ config: ["cluster-enabled yes", `cluster-port ${yield* Server.freePort}`] })
      for (
        const key of [
          "",
          "a",
          "123456789",
          "{user}.a",
          "{}.a",
          "a{b}c{d}",
          "{{a}}",
          "{a",
          "a}b{c}",
          "ключ{é}",
          ...keysOf("user")
        ]
      ) {
        assert.strictEqual(slotOf(key), yield* server.cli("CLUSTER", "KEYSLOT", key), key)
      }
    }))
})
