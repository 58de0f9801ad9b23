/**
 * Many messages are sent at once, each system by its way for many.
 */
import type { Redis } from "ioredis"
import { effectMqFile, systemFile } from "../harness/bench.ts"
import { type Case, choose, handWritten, library, type Scenario, type Size, thousands } from "../harness/scenario.ts"
import { stream } from "../support/streams.ts"

export const send = (size: Size): Scenario => {
  const total = choose(size, 100_000, 2_000)
  const sending = (system: string, file: string, stored: (redis: Redis) => Promise<number>): Case => ({
    system,
    run: async (bench) => {
      await bench.redis.flushall()
      const { seconds } = await bench.run(file, "send", { total })
      const found = await stored(bench.redis)
      if (found !== total) throw new Error(`${system}: ${found} of ${total} are stored`)
      return { rate: total / seconds }
    }
  })
  return {
    name: "send",
    rounds: 5,
    rows: [{ key: "rate", scenario: `send ${thousands(total)} at once`, unit: "actions/s" }],
    cases: [
      sending(handWritten, systemFile("handWritten"), (redis) => redis.xlen(stream)),
      sending(library, systemFile("library"), (redis) => redis.xlen(stream)),
      sending("BullMQ", systemFile("bullmq"), (redis) => redis.llen("bull:bench:wait")),
      sending("PersistedQueue", systemFile("persistedQueue"), (redis) => redis.llen("effectq:bench")),
      ...size.effectMq
        ? [sending("effect-mq", effectMqFile, (redis) => redis.zcard("effect-mq:all"))]
        : []
    ]
  }
}
