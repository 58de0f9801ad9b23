/**
 * Microseconds of CPU an action, of each process and of the server.
 *
 * Rates on a shared machine differ by half from round to round; CPU time does not. A case runs a short and a long time and
 * divides the difference, so that start-up and compilation cancel out.
 */
import type { Redis } from "ioredis"
import { join } from "node:path"
import { type Bench, systemFile } from "../harness/bench.ts"
import { type Case, choose, handWritten, library, type Numbers, type Scenario, type Size } from "../harness/scenario.ts"
import type { Work } from "../support/system.ts"

/** Microseconds of CPU that the server has used since its start. */
export const serverCpu = async (redis: Redis): Promise<number> => {
  const info = await redis.info("cpu")
  const seconds = (name: string) => Number(new RegExp(`${name}:([0-9.]+)`).exec(info)?.[1])
  return (seconds("used_cpu_user") + seconds("used_cpu_sys")) * 1e6
}

/** Runs the work on an empty server and says what each party used. */
type Measure = (bench: Bench, work: Partial<Work>) => Promise<Numbers>

const perAction = (
  system: string,
  measure: Measure,
  totals: { readonly short: number; readonly long: number },
  work: Partial<Work>
): Case => ({
  system,
  run: async (bench) => {
    const short = await measure(bench, { ...work, total: totals.short })
    const long = await measure(bench, { ...work, total: totals.long })
    return Object.fromEntries(
      Object.keys(long).map((key) => [key, (long[key]! - short[key]!) / (totals.long - totals.short)])
    )
  }
})

const drainOf = (file: string): Measure => async (bench, work) => {
  await bench.redis.flushall()
  await bench.run(systemFile("handWritten"), "send", work)
  const before = await serverCpu(bench.redis)
  const { cpu } = await bench.run(file, "drain", work)
  return { process: cpu, server: await serverCpu(bench.redis) - before }
}

const requestOf = (file: string): Measure => async (bench, work) => {
  await bench.redis.flushall()
  const worker = bench.start(file, "serve", work)
  const client = bench.start(file, "request", work)
  await Promise.all([worker.ready, client.ready])
  const before = await serverCpu(bench.redis)
  worker.go()
  client.go()
  const { cpu } = await client.report
  const server = await serverCpu(bench.redis) - before
  worker.stop()
  const served = await worker.report
  await Promise.all([client.ended, worker.ended])
  return { client: cpu, worker: served.cpu, server }
}

const unit = "µs CPU/action"

/** `against` is another checkout, whose library is measured in the same rounds. */
const filesOf = (against: string | undefined): ReadonlyArray<readonly [system: string, file: string]> => [
  [library, systemFile("library")],
  ...against === undefined
    ? []
    : [[`${library}, the other checkout`, join(against, "bench/systems/library.ts")] as const]
]

export const cpuDrain = (size: Size, against: string | undefined): Scenario => {
  const totals = { short: choose(size, 40_000, 1_000), long: choose(size, 240_000, 3_000) }
  return {
    name: "cpu-drain",
    rounds: 5,
    rows: [
      { key: "process", scenario: "drain: CPU of the worker's process", unit },
      { key: "server", scenario: "drain: CPU of the server", unit }
    ],
    cases: [[handWritten, systemFile("handWritten")] as const, ...filesOf(against)]
      .map(([system, file]) => perAction(system, drainOf(file), totals, {}))
  }
}

export const cpuRequest = (size: Size, against: string | undefined): Scenario => {
  const totals = { short: choose(size, 20_000, 2_000), long: choose(size, 100_000, 4_000) }
  return {
    name: "cpu-request",
    rounds: 5,
    rows: [
      { key: "client", scenario: "request, 1,000 in flight: CPU of the client", unit },
      { key: "worker", scenario: "request, 1,000 in flight: CPU of the worker", unit },
      { key: "server", scenario: "request, 1,000 in flight: CPU of the server", unit }
    ],
    // The loop with one list for all answers is the one that does as much for as many callers.
    cases: [[handWritten, systemFile("oneInbox")] as const, ...filesOf(against)]
      .map(([system, file]) => perAction(system, requestOf(file), totals, { inFlight: 1_000 }))
  }
}
