import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    typecheck: {
      enabled: true,
      include: ["test/**/*.test-d.ts"],
      checker: "tsc",
      tsconfig: "tsconfig.json"
    },
    globalSetup: ["test/support/globalSetup.ts"],
    // A file is a process of its own: tests send signals, count file descriptors and replace globals.
    pool: "forks",
    maxWorkers: 2,
    // Real servers and processes on a shared machine: where nobody watches, a test that fails is run once more.
    retry: process.env["CI"] === undefined ? 0 : 1,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: ["default", "./scripts/closing-line.ts"]
  }
})
