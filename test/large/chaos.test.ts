import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

describe("a service of four workers under 100,000 actions, a third of them delayed,", () => {
  it(
    "loses nothing when workers, the server and connections are killed again and again",
    { timeout: 1_800_000 },
    () => {
      const main = fileURLToPath(new URL("../chaos/main.ts", import.meta.url))
      const run = spawnSync(process.execPath, [main, "--delayed", "30"], {
        encoding: "utf8",
        maxBuffer: 64 * 1024 * 1024
      })
      assert.strictEqual(run.status, 0, `${run.stdout}\n${run.stderr}`)
      assert.include(run.stdout, "Nothing was lost.")
    }
  )
})
