/**
 * `npm run check`: every script of package.json whose name starts with
 * `check:`, in their order, up to the first that fails.
 * Each can be run alone: `npm run check:types`.
 */
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"

const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> }
const steps = Object.entries(scripts).filter(([name]) => name.startsWith("check:"))
const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`

const started = performance.now()
for (const [name, command] of steps) {
  const start = performance.now()
  // npm has put node_modules/.bin on the path, so the step's own command is all that is needed.
  const { error, output, status } = spawnSync("sh", ["-c", command], { encoding: "utf8" })
  if (status !== 0) {
    process.stdout.write(`✗ ${name}  ${command}\n`)
    process.stdout.write(error === undefined ? output.join("") : `${error.message}\n`)
    process.stdout.write(`check failed at "${name}" (npm run ${name})\n`)
    process.exit(1)
  }
  process.stdout.write(`✓ ${name}  ${seconds(start)}\n`)
}
process.stdout.write(`all ${steps.length} checks passed in ${seconds(started)}\n`)
