import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

describe("bench", () => {
  it("runs every scenario of every system, and each handles all it was given", { timeout: 240_000 }, () => {
    const main = fileURLToPath(new URL("../../bench/main.ts", import.meta.url))
    const run = spawnSync(process.execPath, [main, "--quick"], { encoding: "utf8" })
    assert.strictEqual(run.status, 0, `${run.stdout}\n${run.stderr}`)
    for (
      const scenario of [
        "drain a backlog",
        "in flight",
        "at once",
        "handlers that wait",
        "consumers in one",
        "cold import"
      ]
    ) {
      assert.include(run.stdout, scenario)
    }
  })
})
