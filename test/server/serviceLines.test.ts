/** The log lines of a process about its connections name its service, whichever part of it writes them. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Redis from "../../src/Redis.ts"
import * as Settings from "../../src/Settings.ts"
import { collecting, type LogLine } from "../support/logs.ts"
import * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"

describe("an outage", () => {
  for (
    const [who, use] of [
      [
        "a client that waits for an answer",
        Effect.gen(function*() {
          const client = yield* ActionClient.make()
          yield* client.request(Action.make("user.ping"), {}, { timeout: "1 minute" })
        })
      ],
      ["a layer that nothing uses", Effect.never]
    ] as const
  ) {
    it.live(`names the service on both of its lines, for ${who}`, () =>
      Effect.gen(function*() {
        const lines: Array<LogLine> = []
        const server = yield* Server.start()
        const layer = Layer.merge(IoRedis.layer, QueueNaming.layer).pipe(
          Layer.provideMerge(Settings.layerOf({ serviceName: "shop", redis: { url: server.url } })),
          Layer.provideMerge(collecting(lines))
        )
        yield* Effect.gen(function*() {
          const redis = yield* Redis.Redis
          const fiber = yield* Effect.forkChild(use)
          const ping = Effect.as(Effect.orElseSucceed(redis.send<unknown>("PING"), () => undefined), true)
          yield* ping
          yield* server.stop
          yield* until("the loss is logged", Effect.sync(() => lines.some(({ level }) => level === "Warn")))
          yield* server.restart
          yield* until("the return is logged", Effect.sync(() => lines.at(-1)?.level === "Info"))
          yield* Fiber.interrupt(fiber)
        }).pipe(Effect.scoped, Effect.provide(layer))
        assert.strictEqual(lines.length, 2, lines.map(({ text }) => text).join("\n"))
        for (const { annotations, text } of lines) assert.strictEqual(annotations["service"], "shop", text)
      }))
  }
})
