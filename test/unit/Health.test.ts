import { assert, describe, it } from "@effect/vitest"
import * as Health from "../../src/Health.ts"
import type { WorkerStatus } from "../../src/Worker.ts"

const status = (change: Partial<WorkerStatus> = {}): WorkerStatus => ({
  state: "running",
  service: "user",
  stream: "nooble4:dev:user:streams:main",
  group: "user-group",
  lease: 60_000,
  lastRenewed: 100_000,
  startedAt: 0,
  block: 5_000,
  eventLoopDelay: 0,
  consumers: [
    { name: "reader", running: 0, held: 0, unwritten: 0, lastRead: 100_000, reads: true, full: false },
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
      lastRead: 100_000,
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
    ["a worker that is full is ready without reading", reader({ full: true, lastRead: 0 }), 101_000, undefined],
    ["a worker that does not renew is not ready", reader({ lastRead: 140_000 }), 140_001, /not renewed for 40001/],
    ["a worker whose event loop was late is not ready", status({ eventLoopDelay: 1_001 }), 101_000, /late by 1001/]
  ])("%s", (_, worker, now, problem) => {
    const { problems, ready } = Health.readinessOf(worker, now)
    assert.strictEqual(ready, problem === undefined, problems.join())
    if (problem !== undefined) assert.match(problems.join(), problem)
  })
})
