/**
 * `node test/mutations/main.ts`: plants each fault of `faults.ts` in a copy of the sources, runs the published suite and
 * the memory server's own cases there, and tells which case noticed it. Status 1 when a fault goes unnoticed.
 *
 * The suite runs in a child process: a fault may keep it from ever coming back, which counts as noticed.
 */
import * as Effect from "effect/Effect"
import { fork } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type * as Memory from "../../src/RedisMemory.ts"
import type * as Testing from "../../src/testing/index.ts"
import type * as Own from "../memory/cases/all.ts"
import { type Fault, faults } from "./faults.ts"

const root = join(import.meta.dirname, "../..")

/** How long the child may say nothing. */
const patience = 60_000

interface Verdict {
  readonly index: number
  /** The case that failed first, and why; without it the fault was not noticed. */
  readonly caughtBy: string | undefined
}

const textOf = (source: string, { file }: Fault): string => readFileSync(join(source, "src/internal", file), "utf8")

/** A fault that cannot be planted would pass for one that was noticed. */
const checkThatAllCanBePlanted = (): void => {
  for (const fault of faults) {
    if (textOf(root, fault).split(fault.search).length === 2) continue
    throw new Error(`${fault.file} does not hold this once: ${fault.search}`)
  }
}

/** A copy of the sources, with a fault or without. */
const plant = (folder: string, fault: Fault | undefined): void => {
  mkdirSync(folder)
  cpSync(join(root, "src"), join(folder, "src"), { recursive: true })
  cpSync(join(root, "test/memory"), join(folder, "test/memory"), { recursive: true })
  cpSync(join(root, "package.json"), join(folder, "package.json"))
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "dir")
  if (fault === undefined) return
  // A function, because `$` would mean something in a text.
  const text = textOf(folder, fault).replace(fault.search, () => fault.replace)
  writeFileSync(join(folder, "src/internal", fault.file), text)
}

/** Runs the suite in one copy: the published cases, and those of the memory server. */
const examine = async (folder: string, fault: Fault | undefined): Promise<string | undefined> => {
  const { Conformance } = await import(
    join(folder, "src/testing/index.ts")
  ) as typeof Testing
  const RedisMemory = await import(join(folder, "src/RedisMemory.ts")) as typeof Memory
  const { memoryCases } = await import(join(folder, "test/memory/cases/all.ts")) as typeof Own
  const isOfLua = ({ behaviour }: { readonly behaviour: string }) => behaviour === "Lua"
  const all = [...Conformance.cases, ...memoryCases]
  const lua = all.filter(isOfLua)
  const others = all.filter((next) => !isOfLua(next))
  const report = await Effect.runPromise(
    Conformance.run(RedisMemory.layer, {
      // Where the fault is likely to be found comes first.
      cases: fault?.file.startsWith("memory/lua/") === true ? [...lua, ...others] : [...others, ...lua],
      timeout: "10 seconds",
      stopAtFirst: true
    })
  )
  return report.failed.length === 0 ? undefined : Conformance.render(report).split("\n").slice(0, 2).join("\n").slice(2)
}

/** All copies share one fengari, which would keep what an earlier copy has patched: such a fault gets its own process. */
const patchesFengari = (fault: Fault | undefined): boolean => fault?.file.startsWith("memory/lua/") === true

/** -1 is the copy without a fault. */
const child = async (folder: string, first: number): Promise<void> => {
  for (let index = first; index < faults.length; index++) {
    if (index > first && patchesFengari(faults[index])) break
    const copy = join(folder, String(index + 1))
    plant(copy, faults[index])
    const verdict: Verdict = { index, caughtBy: await examine(copy, faults[index]) }
    process.send?.(verdict)
    if (patchesFengari(faults[index])) break
  }
  process.disconnect()
}

/** Runs a child from this fault on; the verdicts that it came to, and how it ended. */
const examineFrom = (
  folder: string,
  first: number,
  onVerdict: (verdict: Verdict) => void
): Promise<number | null> =>
  new Promise((resolve) => {
    const program = fork(import.meta.filename, [folder, String(first)], {
      stdio: ["ignore", "inherit", "inherit", "ipc"]
    })
    let timer = setTimeout(() => program.kill("SIGKILL"), patience)
    program.on("message", (verdict) => {
      clearTimeout(timer)
      timer = setTimeout(() => program.kill("SIGKILL"), patience)
      // SAFETY: the child sends nothing else.
      onVerdict(verdict as Verdict)
    })
    program.on("exit", (status) => {
      clearTimeout(timer)
      resolve(status)
    })
  })

const main = async (folder: string): Promise<void> => {
  checkThatAllCanBePlanted()
  const started = performance.now()
  const verdicts = new Map<number, string | undefined>()
  const tell = ({ caughtBy, index }: Verdict): void => {
    verdicts.set(index, caughtBy)
    const fault = faults[index]
    if (fault === undefined) {
      if (caughtBy !== undefined) throw new Error(`The sources fail without any fault: ${caughtBy}`)
      console.log("✓ without a fault every case passes")
    } else {
      const [name, why = ""] = (caughtBy ?? "").split("\n")
      const found = caughtBy === undefined ? "  NOT NOTICED" : `  ${name}\n   ${why.slice(0, 200)}`
      console.log(`${caughtBy === undefined ? "✗" : "✓"} ${fault.file}: ${fault.why}\n${found}`)
    }
  }
  for (let next = -1; next < faults.length;) {
    const status = await examineFrom(folder, next, tell)
    const before = next
    next = verdicts.size - 1
    if (status === 0 && next === before) throw new Error("the child ended early")
    if (next < faults.length && status !== 0) {
      if (next === -1) throw new Error("the sources do not come back without any fault")
      tell({ index: next, caughtBy: "the suite does not come back" })
      next++
    }
  }
  const missed = faults.filter((_, index) => verdicts.get(index) === undefined)
  const seconds = ((performance.now() - started) / 1000).toFixed(0)
  console.log(`\n${faults.length - missed.length} of ${faults.length} faults were noticed, in ${seconds} s`)
  process.exitCode = missed.length === 0 ? 0 : 1
}

const [folder, first] = process.argv.slice(2)
if (folder === undefined) {
  const folder = mkdtempSync(join(tmpdir(), "effect-redis-workers-mutations-"))
  await main(folder).finally(() => rmSync(folder, { recursive: true, force: true }))
} else {
  await child(folder, Number(first))
}
