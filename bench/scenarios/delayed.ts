/**
 * Messages that are all due at the same moment: microseconds of CPU to park one, and to run it once it is due.
 *
 * As in `cpu.ts`, a case runs with few and with many messages and divides the difference.
 */
import { setTimeout as wait } from "node:timers/promises"
import { type Bench, effectMqFile, systemFile } from "../harness/bench.ts"
import { type Case, choose, library, type Numbers, type Scenario, type Size, thousands } from "../harness/scenario.ts"
import { serverCpu } from "./cpu.ts"

/** Messages that each system can park in a second, and the seconds that a process may need to start. */
const slowest = 2_000
const startUp = 12

/** Microseconds that each party used for all messages. */
const measure = async (bench: Bench, file: string, total: number): Promise<Numbers> => {
  await bench.redis.flushall()
  const due = Date.now() + (startUp + total / slowest) * 1_000
  const before = await serverCpu(bench.redis)
  const parked = await bench.run(file, "send", { total, due })
  const between = await serverCpu(bench.redis)
  // The wait costs an idle server next to nothing, and is measured for all alike.
  await wait(Math.max(0, due - Date.now()) + 100)
  const ran = await bench.run(file, "drain", { total, concurrency: 100 })
  const after = await serverCpu(bench.redis)
  return {
    parkProcess: parked.cpu,
    parkServer: between - before,
    runProcess: ran.cpu,
    runServer: after - between,
    all: parked.cpu + ran.cpu + after - before
  }
}

export const delayed = (size: Size): Scenario => {
  const short = choose(size, 5_000, 500)
  const long = choose(size, 105_000, 1_500)
  const unit = "µs CPU/action"
  const what = `${thousands(long - short)} due at once`
  const caseOf = (system: string, file: string): Case => ({
    system,
    run: async (bench) => {
      const few = await measure(bench, file, short)
      const many = await measure(bench, file, long)
      return Object.fromEntries(Object.keys(many).map((key) => [key, (many[key]! - few[key]!) / (long - short)]))
    }
  })
  return {
    name: "delayed",
    rounds: 3,
    rows: [
      { key: "parkProcess", scenario: `${what}: parking, CPU of the process`, unit },
      { key: "parkServer", scenario: `${what}: parking, CPU of the server`, unit },
      { key: "runProcess", scenario: `${what}: promoting and running, CPU of the process`, unit },
      { key: "runServer", scenario: `${what}: promoting and running, CPU of the server`, unit },
      { key: "all", scenario: `${what}: everything together`, unit }
    ],
    cases: [
      caseOf(library, systemFile("library")),
      caseOf("BullMQ, concurrency 100", systemFile("bullmq")),
      ...size.effectMq ? [caseOf("effect-mq, concurrency 100", effectMqFile)] : []
    ]
  }
}
