/**
 * Timers faked by a test: what waits cannot go on, and `RedisMemory` says so.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Schema from "effect/Schema"
import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import { Redis } from "../../src/Redis.ts"
import * as RedisMemory from "../../src/RedisMemory.ts"
import * as Settings from "../../src/Settings.ts"
import * as Worker from "../../src/Worker.ts"
import { recording } from "../support/logs.ts"

const Now = Action.make("clock.now", { success: { year: Schema.Int } })
const handlers = ActionGroup.make(Now).handlers({
  "clock.now": () => Effect.sync(() => ({ year: new Date().getUTCFullYear() }))
})

const logs: Array<string> = []
beforeEach(() => {
  logs.length = 0
})
afterEach(() => {
  vi.useRealTimers()
})

const warnings = () => logs.filter((line) => line.includes("Timers are faked"))

const Collected = recording(logs)

const service = Worker.layer(handlers).pipe(
  Layer.provideMerge(ActionClient.layer),
  Layer.provideMerge(Layer.mergeAll(RedisMemory.layer, QueueNaming.layer)),
  Layer.provideMerge(Settings.layerOf({ serviceName: "clock" })),
  Layer.provideMerge(Collected)
)

const ask = Effect.flatMap(ActionClient.ActionClient, (client) => client.request(Now, {}))

describe("RedisMemory with faked timers", () => {
  it("warns when a client is made, goes on as the test advances them, and does not warn twice", async () => {
    // Loads what is loaded once in a process, with the real timers.
    await Effect.runPromise(Effect.asVoid(RedisMemory.makeServer))
    vi.useFakeTimers()
    const runtime = ManagedRuntime.make(service)
    const seen: Array<number> = []
    const asked = runtime.runPromise(ask).then((answer) => {
      seen.push(answer.year)
    })
    for (let turn = 0; turn < 1_000 && seen.length === 0; turn++) await vi.advanceTimersByTimeAsync(1)
    await asked
    assert.isAbove(seen[0] ?? 0, 2000)
    vi.useRealTimers()
    await runtime.dispose()
    assert.strictEqual(warnings().length, 1)
    assert.match(warnings()[0] ?? "", /toFake.*docs\/testing\.md/)
  })

  it("warns when they are faked after the client was made, by the first command that waits", async () => {
    const runtime = ManagedRuntime.make(Layer.mergeAll(RedisMemory.layer, Collected))
    const redis = await runtime.runPromise(Redis)
    vi.useFakeTimers()
    const fiber = runtime.runFork(redis.send("BLPOP", "list", "1"))
    assert.strictEqual(warnings().length, 1)
    await vi.advanceTimersByTimeAsync(1_001)
    assert.isNull(await Effect.runPromise(Fiber.join(fiber)))
  })

  it("works without a warning when only the date is faked", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.UTC(2031, 0, 1) })
    const runtime = ManagedRuntime.make(service)
    assert.deepStrictEqual(await runtime.runPromise(ask), { year: 2031 })
    await runtime.dispose()
    assert.deepStrictEqual(warnings(), [])
  })

  it("says nothing while timers are real", async () => {
    const runtime = ManagedRuntime.make(service)
    assert.isAbove((await runtime.runPromise(ask)).year, 2000)
    await runtime.dispose()
    assert.deepStrictEqual(warnings(), [])
  })
})
