/** `npm run test:large`: what is long and rare. The same tests at sizes that nobody waits for on each change. */
import { defineConfig } from "vitest/config"

/** Sizes by the variables that the files explain; what the shell sets holds. */
const sizes = {
  FAULTS_RUNS: "500",
  DIFFERENTIAL_SEQUENCES: "50000",
  RETENTION_ENTRIES: "1000000"
}
const given = Object.entries(process.env).filter(([name]) => name in sizes)

export default defineConfig({
  test: {
    name: "large",
    include: [
      "test/large/*.test.ts",
      "test/unit/faults.property.test.ts",
      "test/server/RedisMemory.differential.test.ts",
      "test/server/scripts.differential.test.ts",
      "test/both/retention.test.ts"
    ],
    env: { TEST_PLACE: "server", ...sizes, ...Object.fromEntries(given) },
    pool: "forks",
    maxWorkers: 2,
    retry: 0,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    globalSetup: ["test/support/cleanEnvironment.ts", "test/support/requireRedis.ts"],
    reporters: ["default", "./scripts/closing-line.ts"]
  }
})
