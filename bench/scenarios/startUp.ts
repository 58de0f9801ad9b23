/**
 * What it costs to import the package in a new process, over what it imports of Effect and ioredis.
 */
import { execFile } from "node:child_process"
import { globSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { promisify } from "node:util"
import { choose, library, type Scenario, type Size } from "../harness/scenario.ts"

const run = promisify(execFile)
// Inside the repository, so that its imports are found.
const directory = join(import.meta.dirname, "../../.tmp/bench-dist")

/** Builds the package as it is published, and a module that imports what all of its modules import from elsewhere. */
const build = async (): Promise<{ readonly needs: string; readonly package: string }> => {
  rmSync(directory, { recursive: true, force: true })
  await run("rolldown", ["-c", "-d", directory], { cwd: join(import.meta.dirname, "../..") })
  const wanted = new Set<string>()
  // The kit for tests and the memory server are no part of what the package root imports.
  for (const file of globSync("{*.js,internal/core.js}", { cwd: directory })) {
    const imports = readFileSync(join(directory, file), "utf8").matchAll(/^(?! \*).*?\bfrom "([^."][^"]*)"/gm)
    for (const [, name] of imports) wanted.add(name!)
  }
  const needs = join(directory, "needs.mjs")
  writeFileSync(needs, [...wanted].sort().map((name) => `import "${name}"\n`).join(""))
  return { needs, package: join(directory, "index.js") }
}

/**
 * Milliseconds that the imports take, one after the other in a new process. In two processes, the difference of what each
 * takes would be mostly that of the processes: of ten times the size, and a tenth off from one to the next.
 */
const importTimes = async (files: ReadonlyArray<string>): Promise<ReadonlyArray<number>> => {
  const code = files.map((file) =>
    `{ const t = performance.now(); await import(${JSON.stringify(pathToFileURL(file).href)});` +
    `console.log(performance.now() - t) }`
  )
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", code.join("\n")])
  return stdout.trim().split("\n").map(Number)
}

export const startUp = (size: Size): Scenario => {
  let built: ReturnType<typeof build> | undefined
  return {
    name: "import",
    rounds: choose(size, 15, 1),
    rows: [
      { key: "needs", scenario: "cold import of what the package needs", unit: "ms" },
      { key: "package", scenario: "cold import of the package", unit: "ms" },
      { key: "over", scenario: "cold import of the package, over what it needs", unit: "ms" }
    ],
    cases: [{
      system: library,
      run: async () => {
        built ??= build()
        const files = await built
        const [needs = Number.NaN, over = Number.NaN] = await importTimes([files.needs, files.package])
        return { needs, package: needs + over, over }
      }
    }]
  }
}
