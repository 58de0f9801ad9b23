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

const growthCase = (system: string, file: string, work: { readonly total: number; readonly warm: number }): Case => ({
  system,
  run: async (bench) => {
    await bench.redis.flushall()
    await bench.run(systemFile("handWritten"), "send", work)
    let pending = 0
    const watch = setInterval(() => void pendingNow(bench.redis).then((now) => pending = Math.max(pending, now)), 20)
    const report = await bench.run(file, "drain", work)
    clearInterval(watch)
    return {
      time: report.seconds / (work.total - work.warm) * 1e6,
      memory: ((report.peakBytes ?? 0) - (report.idleBytes ?? 0)) / 1e6,
      pending,
      length: await bench.redis.xlen(stream)
    }
  }
})

export const growth = (size: Size, backlog: number): Scenario => {
  const scenario = `backlog of ${thousands(backlog)}`
  const warm = choose(size, 20_000, 1_000)
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
      growthCase(library, systemFile("library"), work)
    ]
  }
}

export const growths = (size: Size): ReadonlyArray<Scenario> =>
  (size.quick ? [2_000] : [10_000, 100_000, 1_000_000]).map((backlog) => growth(size, backlog))
