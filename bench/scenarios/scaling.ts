/**
 * More consumers in one process, and more processes.
 */
import { systemFile } from "../harness/bench.ts"
import { type Case, choose, handWritten, library, type Scenario, type Size, thousands } from "../harness/scenario.ts"
import { group, stream } from "../support/streams.ts"
import { drainCase, onStream } from "./drain.ts"

/**
 * V8 enlarges the young generation of a process some times, the last time after 100,000 to 300,000 actions: the more consumers,
 * the sooner. It costs 200 ms and comes once, so the clock starts behind it.
 */
export const consumers = (size: Size): Scenario => {
  const work = { total: choose(size, 500_000, 3_000), warm: choose(size, 300_000, 1_000) }
  return {
    name: "consumers",
    rounds: 5,
    rows: [{ key: "rate", scenario: "consumers in one process", unit: "actions/s" }],
    cases: [
      drainCase(handWritten, onStream("handWritten"), work),
      ...(size.quick ? [2] : [1, 2, 4, 8]).map((consumers) =>
        drainCase(`${library}, consumers ${consumers}`, onStream("library"), { ...work, consumers })
      )
    ]
  }
}

/** Several processes share a backlog; the clock runs from the word to start until nothing is left. */
const processesCase = (system: string, file: string, count: number, total: number): Case => ({
  system,
  run: async (bench) => {
    await bench.redis.flushall()
    await bench.run(systemFile("handWritten"), "send", { total })
    const processes = Array.from({ length: count }, () => bench.start(file, "share", { total }))
    await Promise.all(processes.map((process) => process.ready))
    const started = performance.now()
    for (const process of processes) process.go()
    while (await bench.redis.xlen(stream) > 0) await new Promise((resolve) => setTimeout(resolve, 5))
    const seconds = (performance.now() - started) / 1000
    const [pending] = await bench.redis.xpending(stream, group) as [number]
    for (const process of processes) process.stop()
    const reports = await Promise.all(processes.map((process) => process.report))
    await Promise.all(processes.map((process) => process.ended))
    const handled = reports.reduce((sum, report) => sum + report.handled, 0)
    if (handled !== total || pending !== 0) {
      throw new Error(`${system}: ${handled} of ${total} handled, ${pending} left`)
    }
    return { rate: total / seconds }
  }
})

export const processes = (size: Size): Scenario => {
  const total = choose(size, 300_000, 3_000)
  return {
    name: "processes",
    rounds: 5,
    rows: [{ key: "rate", scenario: `processes that share a backlog of ${thousands(total)}, cold`, unit: "actions/s" }],
    cases: [
      // The quick run has seen it in the scenario above.
      ...(size.quick ? [] : [processesCase(handWritten, systemFile("handWritten"), 1, total)]),
      ...(size.quick ? [2] : [1, 2, 3]).map((count) =>
        processesCase(`${library}, processes ${count}`, systemFile("library"), count, total)
      )
    ]
  }
}
