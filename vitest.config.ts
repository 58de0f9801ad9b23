import { join } from "node:path"
import { defineConfig } from "vitest/config"

/** One after another, so that a failure of what is quick is seen first. */
const order = { unit: 0, server: 1, cluster: 2, process: 3, browser: 4 }

/** The files of test/both that run on a Redis Cluster as well. */
const onCluster = [
  "callbackRoute",
  "client",
  "conformance",
  "DeadLetter",
  "deadlines",
  "inspector",
  "inspector.find",
  "inspector.lanes",
  "inspector.pause",
  "inspector.verbs",
  "integers",
  "lanes",
  "later",
  "later.contract",
  "leases.gone",
  "pause",
  "schedules",
  "starvation",
  "statistics",
  "unreadableAnswers",
  "worker.onSettled",
  "worker.settlement"
]

const cleanEnvironment = "test/support/cleanEnvironment.ts"
const requireRedis = "test/support/requireRedis.ts"
const requireDashboard = "test/support/requireDashboard.ts"

export default defineConfig({
  // Examples import the package by its name.
  resolve: { alias: [{ find: /^effect-redis-workers$/, replacement: join(import.meta.dirname, "src/index.ts") }] },
  test: {
    // A file is a process of its own: tests send signals, count file descriptors and replace globals.
    pool: "forks",
    maxWorkers: 2,
    // A test that fails now and then is wrong, or has found something.
    retry: 0,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ["default", "./scripts/closing-line.ts"],
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/{unit,both}/*.test.ts"],
          typecheck: { enabled: true, include: ["test/unit/*.test-d.ts"], checker: "tsc", tsconfig: "tsconfig.json" },
          env: { TEST_PLACE: "memory" },
          globalSetup: [cleanEnvironment],
          sequence: { groupOrder: order.unit }
        }
      },
      {
        test: {
          name: "server",
          include: ["test/{server,both}/*.test.ts"],
          env: { TEST_PLACE: "server" },
          globalSetup: [cleanEnvironment, requireRedis],
          sequence: { groupOrder: order.server }
        }
      },
      {
        test: {
          name: "cluster",
          include: ["test/cluster/*.test.ts", `test/both/{${onCluster.join(",")}}.test.ts`],
          env: { TEST_PLACE: "cluster" },
          globalSetup: [cleanEnvironment, requireRedis],
          sequence: { groupOrder: order.cluster }
        }
      },
      {
        test: {
          name: "process",
          include: ["test/process/*.test.ts"],
          globalSetup: [cleanEnvironment, requireRedis],
          sequence: { groupOrder: order.process }
        }
      },
      {
        test: {
          name: "browser",
          include: ["test/browser/*.test.ts"],
          globalSetup: [cleanEnvironment, requireRedis, requireDashboard],
          sequence: { groupOrder: order.browser }
        }
      }
    ]
  }
})
