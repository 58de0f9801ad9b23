/**
 * A client process asks, a worker process answers: how long does one take, how many go through?
 */
import { systemFile } from "../harness/bench.ts"
import { type Case, choose, handWritten, library, type Scenario, type Size, thousands } from "../harness/scenario.ts"
import type { Work } from "../support/system.ts"

const requestCase = (system: string, file: string, work: Pick<Work, "total" | "warm" | "inFlight">): Case => ({
  system,
  run: async (bench) => {
    await bench.redis.flushall()
    const worker = bench.start(file, "serve", work)
    const client = bench.start(file, "request", work)
    await Promise.all([worker.ready, client.ready])
    worker.go()
    client.go()
    const { connections, p50, seconds } = await client.report
    worker.stop()
    await Promise.all([client.ended, worker.report, worker.ended])
    return { rate: (work.total - work.warm) / seconds, p50: p50 ?? Number.NaN, connections: connections ?? Number.NaN }
  }
})

const request = (inFlight: number, total: number, warm: number): Scenario => {
  const scenario = `request and answer, ${thousands(inFlight)} in flight`
  const work = { inFlight, total, warm }
  return {
    name: `request-${inFlight}`,
    rounds: 5,
    rows: [
      { key: "p50", scenario: `${scenario}: median time`, unit: "µs" },
      ...inFlight === 1 ? [] : [{ key: "rate", scenario, unit: "requests/s" }],
      { key: "connections", scenario: `${scenario}: connections of the client`, unit: "connections" }
    ],
    cases: [
      requestCase(handWritten, systemFile("handWritten"), work),
      requestCase(library, systemFile("library"), work),
      requestCase(`${handWritten}, one list for all answers`, systemFile("oneInbox"), work),
      requestCase("BullMQ", systemFile("bullmq"), work)
    ]
  }
}

// Code that runs once a request is compiled late: V8 counts its runs.
export const requestOne = (size: Size) => request(1, choose(size, 16_000, 300), choose(size, 6_000, 100))
export const requestFifty = (size: Size) => request(50, choose(size, 35_000, 1_000), choose(size, 5_000, 500))
export const requestThousand = (size: Size) => request(1_000, choose(size, 60_000, 3_000), choose(size, 10_000, 1_000))
