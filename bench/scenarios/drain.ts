/**
 * A backlog is there; how many messages a second until it is empty?
 */
import { type Bench, effectMqFile, systemFile } from "../harness/bench.ts"
import { type Case, choose, handWritten, library, type Scenario, type Size, thousands } from "../harness/scenario.ts"
import type { Work } from "../support/system.ts"

/** Fills the backlog and drains it: messages a second. */
export const drainCase = (
  system: string,
  files: { readonly send: string; readonly drain: string },
  work: Partial<Work> & Pick<Work, "total" | "warm">
): Case => ({
  system,
  run: async (bench: Bench) => {
    await bench.redis.flushall()
    await bench.run(files.send, "send", work)
    const { seconds } = await bench.run(files.drain, "drain", work)
    return { rate: (work.total - work.warm) / seconds }
  }
})

/** A system whose backlog is the stream that the hand-written loop reads. */
export const onStream = (name: string) => ({ send: systemFile("handWritten"), drain: systemFile(name) })
export const onItsOwn = (file: string) => ({ send: file, drain: file })

export const drain = (size: Size): Scenario => {
  const fast = { total: choose(size, 220_000, 3_000), warm: choose(size, 20_000, 1_000) }
  // At a few thousand a second the clock needs no more messages than these.
  const slow = { total: choose(size, 44_000, 1_500), warm: choose(size, 4_000, 500), concurrency: 100 }
  const one = { ...slow, concurrency: 1 }
  return {
    name: "drain",
    rounds: 9,
    rows: [{ key: "rate", scenario: `drain a backlog of ${thousands(fast.total - fast.warm)}`, unit: "actions/s" }],
    cases: [
      drainCase(handWritten, onStream("handWritten"), fast),
      drainCase(library, onStream("library"), fast),
      drainCase(`${library}, tracer that samples nothing`, onStream("libraryTraced"), fast),
      drainCase(`${library}, Schema JIT enabled`, onStream("libraryJit"), fast),
      drainCase("Python worker's algorithm (COUNT 1)", onStream("countOne"), one),
      drainCase("BullMQ, concurrency 100", onItsOwn(systemFile("bullmq")), slow),
      drainCase("PersistedQueue, concurrency 100", onItsOwn(systemFile("persistedQueue")), slow),
      ...size.effectMq ? [drainCase("effect-mq, concurrency 100", onItsOwn(effectMqFile), slow)] : []
    ]
  }
}
