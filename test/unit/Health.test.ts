import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Health from "../../src/Health.ts"
import { Worker, type WorkerStatus } from "../../src/Worker.ts"

const at = (millis: number): DateTime.Utc => DateTime.makeUnsafe(millis)

const status = (change: Partial<WorkerStatus> = {}): WorkerStatus => ({
  state: "running",
  service: "user",
  stream: "nooble4:dev:user:streams:main",
  group: "user-group",
  lease: Duration.minutes(1),
  lastRenewed: at(100_000),
  lanes: [],
  parked: 0,
  lastDue: at(100_000),
  startedAt: at(0),
  block: Duration.seconds(5),
  eventLoopDelay: Duration.zero,
  schedules: [],
  pauses: [],
  consumers: [
    { name: "reader", running: 0, held: 0, unwritten: 0, lastRead: at(100_000), reads: true, full: false },
    { name: "alone", running: 0, held: 0, unwritten: 0, lastRead: undefined, reads: false, full: false }
  ],
  trouble: new Map(),
  ...change
})

const reader = (change: Partial<WorkerStatus["consumers"][number]>) =>
  status({
    consumers: [{
      name: "reader",
      running: 0,
      held: 0,
      unwritten: 0,
      lastRead: at(100_000),
      reads: true,
      full: false,
      ...change
    }]
  })

describe("readiness", () => {
  it.each<[string, WorkerStatus, number, RegExp | undefined]>([
    ["a worker that reads and renews is ready", status(), 101_000, undefined],
    ["a paused worker is not ready", status({ state: "paused" }), 101_000, /paused/],
    ["a draining worker is not ready", status({ state: "draining" }), 101_000, /draining/],
    ["a failed worker is not ready", status({ state: "failed" }), 101_000, /failed/],
    [
      "a worker that has trouble is not ready",
      status({ trouble: new Map([["reading", "Connection"]]) }),
      101_000,
      /reading: Connection/
    ],
    ["a worker whose read does not come back is not ready", status(), 115_001, /read nothing back/],
    [
      "a worker that never read is not ready once a read should have come back",
      reader({ lastRead: undefined }),
      15_001,
      /read nothing/
    ],
    ["a worker that is full is ready without reading", reader({ full: true, lastRead: at(0) }), 101_000, undefined],
    ["a worker that does not renew is not ready", reader({ lastRead: at(140_000) }), 140_001, /not renewed for 40001/],
    [
      "a worker that no longer looks for what is due is not ready",
      status({ lastDue: at(90_000) }),
      101_001,
      /Nothing that is due was taken for 11001 ms/
    ],
    [
      "a worker whose event loop was late is not ready",
      status({ eventLoopDelay: Duration.millis(1_001) }),
      101_000,
      /late by 1001/
    ]
  ])("%s", (_, worker, now, problem) => {
    const { problems, ready } = Health.readinessOf(worker, at(now))
    assert.strictEqual(ready, problem === undefined, problems.join())
    if (problem !== undefined) assert.match(problems.join(), problem)
  })

  it("takes limits as any Duration.Input", () => {
    const late = status({ eventLoopDelay: Duration.seconds(3) })
    assert.isFalse(Health.readinessOf(late, at(101_000)).ready)
    assert.isTrue(Health.readinessOf(late, at(101_000), { eventLoopDelay: "3 seconds" }).ready)
    assert.isTrue(Health.readinessOf(late, at(101_000), { eventLoopDelay: 3_000 }).ready)
    assert.isFalse(Health.readinessOf(status(), at(115_001)).ready)
    assert.isTrue(Health.readinessOf(status(), at(115_001), { readGrace: Duration.infinity }).ready)
  })
})

describe("invalid limits", () => {
  const message = "The option \"readGrace\" is NaN: expected a time from 0, such as \"10 seconds\", or Infinity"
  const limits = { readGrace: Number.NaN }

  it("are thrown by readinessOf as an InvalidOption", () => {
    assert.throws(() => Health.readinessOf(status(), at(0), limits), message)
  })

  it.effect("fail readiness before the worker is asked", () =>
    Effect.gen(function*() {
      const worker = Worker.of({
        await: Effect.never,
        status: Effect.die("asked"),
        pause: Effect.void,
        resume: Effect.void,
        drain: Effect.void
      })
      const error = yield* Effect.flip(Effect.provideService(Health.readiness(limits), Worker, worker))
      assert.strictEqual(error.message, message)
    }))

  it.effect("fail the layer before the worker starts", () =>
    Effect.gen(function*() {
      const layer = Health.layer(Layer.effect(Worker, Effect.die("started")), limits)
      const error = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
      assert.strictEqual(error.message, message)
    }).pipe(
      // SAFETY: the limits are checked before anything is served.
      Effect.provideService(HttpServer.HttpServer, {} as HttpServer.HttpServer["Service"])
    ))
})
