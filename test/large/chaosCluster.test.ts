import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

describe("a service on a Redis Cluster under 100,000 actions, whose slot moves and whose master fails over twice,", () => {
  it.each(
    [
      ["loses nothing when the failovers are graceful", [], "Nothing was lost."],
      ["loses what the replicas had not received when the masters are killed", ["--kill"], "Only what the replicas"]
    ] as const
  )("%s, and hangs nothing", { timeout: 600_000 }, (_, options, last) => {
    const main = fileURLToPath(new URL("../chaos/cluster.ts", import.meta.url))
    const run = spawnSync(process.execPath, [main, ...options], { encoding: "utf8" })
    assert.strictEqual(run.status, 0, `${run.stdout}\n${run.stderr}`)
    assert.include(run.stdout, last)
  })
})
