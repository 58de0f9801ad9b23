/**
 * The backlog grows; the time an action and the memory of the worker should not.
 */
import { systemFile } from "../harness/bench.ts"
import { type Case, choose, handWritten, library, type Scenario, type Size, thousands } from "../harness/scenario.ts"
import { group, stream } from "../support/streams.ts"

const pendingNow = async (redis: { readonly xpending: (stream: string, group: string) => Promise<unknown> }) => {
  try {
    const summary = await redis.xpending(stream, group)
    return Array.isArray(summary) ? Number(summary[0]) : 0
  } catch {
    // The group is not made yet.
    return 0
  }
}

interface Backlog {
  readonly total: number
  readonly warm: number
}

/**
 * The warm-up is drained first and is no part of the backlog: V8 compiles its code in the first 20,000 actions, and enlarges
 * the young generation for the last time after 100,000 to 300,000.
 */
const growthCase = (system: string, file: string, work: Backlog, flags: ReadonlyArray<string> = []): Case => ({
  system,
  run: async (bench) => {
    await bench.redis.flushall()
    await bench.run(systemFile("handWritten"), "send", { total: work.warm })
    const consumer = bench.start(file, "drain", { ...work, inTwo: true }, flags)
    await consumer.ready
    await bench.run(systemFile("handWritten"), "send", { total: work.total, from: work.warm })
    let pending = 0
    const watch = setInterval(() => void pendingNow(bench.redis).then((now) => pending = Math.max(pending, now)), 20)
    consumer.go()
    const report = await consumer.report
    clearInterval(watch)
    await consumer.ended
    return {
      time: report.seconds / (work.total - work.warm) * 1e6,
      memory: ((report.peakBytes ?? 0) - (report.idleBytes ?? 0)) / 1e6,
      pending,
      length: await bench.redis.xlen(stream)
    }
  }
})

/** What docs/performance.md recommends where memory is dear. */
const youngSpace = "--max-semi-space-size=16"

export const growth = (size: Size, backlog: number): Scenario => {
  const scenario = `backlog of ${thousands(backlog)}`
  const warm = choose(size, 300_000, 1_000)
  const work = { total: backlog + warm, warm }
  return {
    name: "growth",
    rounds: 5,
    rows: [
      { key: "time", scenario: `${scenario}: time an action`, unit: "µs" },
      { key: "memory", scenario: `${scenario}: memory over idle`, unit: "MB" },
      { key: "pending", scenario: `${scenario}: pending at most`, unit: "actions" },
      { key: "length", scenario: `${scenario}: stream at the end`, unit: "entries" }
    ],
    cases: [
      growthCase(handWritten, systemFile("handWritten"), work),
      growthCase(library, systemFile("library"), work),
      growthCase(`${library}, node ${youngSpace}`, systemFile("library"), work, [youngSpace])
    ]
  }
}

export const growths = (size: Size): ReadonlyArray<Scenario> =>
  (size.quick ? [2_000] : [10_000, 100_000, 1_000_000]).map((backlog) => growth(size, backlog))
