/**
 * One task of one system in this process: `main.ts` starts it and is told what it measured.
 */
import type { Parent, ProcessReport, System, Work } from "./support/system.ts"

const [file, task, work] = process.argv.slice(2) as [string, keyof System, string]
const { system } = await import(file) as { readonly system: System }
const run = system[task]
if (run === undefined) throw new Error(`${file} has no ${task}`)

const said = (word: "go" | "stop") =>
  new Promise<void>((resolve) => {
    process.on("message", (message) => message === word && resolve())
  })
const started = said("go")
const stopped = said("stop")
const parent: Parent = {
  ready: () => {
    process.send?.("ready")
    return started
  },
  stopped
}

const report = await run(JSON.parse(work) as Work, parent)
const { system: inKernel, user } = process.cpuUsage()
process.send?.({ ...report, cpu: user + inKernel } satisfies ProcessReport)
process.disconnect()
// Systems leave timers and connections behind that would keep the process.
process.exitCode = 0
setTimeout(() => process.exit(), 1000).unref()
