/**
 * Handlers that wait 20 ms, 200 at once: 10,000 a second would be ideal.
 */
import { effectMqFile, systemFile } from "../harness/bench.ts"
import { choose, handWritten, library, type Scenario, type Size } from "../harness/scenario.ts"
import { drainCase, onItsOwn, onStream } from "./drain.ts"

export const waiting = (size: Size): Scenario => {
  const work = { total: choose(size, 34_000, 1_500), warm: choose(size, 4_000, 500), delay: 20, concurrency: 200 }
  return {
    name: "waiting",
    rounds: 5,
    rows: [{ key: "rate", scenario: "handlers that wait 20 ms, concurrency 200 (ideal: 10,000)", unit: "actions/s" }],
    cases: [
      drainCase(handWritten, onStream("handWritten"), work),
      drainCase(library, onStream("library"), work),
      // The quick run has seen them drain a backlog.
      ...size.quick ? [] : [
        drainCase("BullMQ", onItsOwn(systemFile("bullmq")), work),
        drainCase("PersistedQueue", onItsOwn(systemFile("persistedQueue")), work),
        ...size.effectMq ? [drainCase("effect-mq", onItsOwn(effectMqFile), work)] : []
      ]
    ]
  }
}
