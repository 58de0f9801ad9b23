import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

describe("chaos", () => {
  it(
    "loses nothing, a third of it delayed, when workers, the server and connections are killed",
    { timeout: 240_000 },
    () => {
      const main = fileURLToPath(new URL("../chaos/main.ts", import.meta.url))
      const run = spawnSync(process.execPath, [main, "--quick", "--delayed", "30"], { encoding: "utf8" })
      assert.strictEqual(run.status, 0, `${run.stdout}\n${run.stderr}`)
      assert.include(run.stdout, "Nothing was lost.")
    }
  )
})
