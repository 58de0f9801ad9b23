/**
 * Starts a process for each task and hears from it what it measured; a run that did not do its work right ends all.
 */
import type { Redis } from "ioredis"
import { type ChildProcess, fork } from "node:child_process"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { connect } from "../support/streams.ts"
import type { ProcessReport, System, Work } from "../support/system.ts"

export interface Running {
  /** The process is connected and waits. */
  readonly ready: Promise<void>
  readonly go: () => void
  readonly stop: () => void
  /** What it measured. Fails when messages were lost, handled twice, or left pending. */
  readonly report: Promise<ProcessReport>
  readonly ended: Promise<void>
}

export interface Bench {
  readonly url: string
  /** A connection of the comparing program, to look at the server. */
  readonly redis: Redis
  /** `flags` are for Node. */
  readonly start: (file: string, task: keyof System, work: Partial<Work>, flags?: ReadonlyArray<string>) => Running
  /** Starts a task and waits until its process has ended. */
  readonly run: (file: string, task: keyof System, work: Partial<Work>) => Promise<ProcessReport>
  readonly close: () => void
}

export const systemFile = (name: string): string => fileURLToPath(new URL(`../systems/${name}.ts`, import.meta.url))
export const effectMqFile = fileURLToPath(new URL("../effect-mq/system.js", import.meta.url))
const program = fileURLToPath(new URL("../program.ts", import.meta.url))

/** No run takes that long: something hangs. */
const longest = 15 * 60_000

export const make = (options: { readonly url: string; readonly profiles: string | undefined }): Bench => {
  const redis = connect(options.url)
  const children = new Set<ChildProcess>()

  const start: Bench["start"] = (file, task, work, flags = []) => {
    const whole: Work = {
      url: options.url,
      total: 0,
      warm: 0,
      from: 0,
      inTwo: false,
      concurrency: 0,
      consumers: 1,
      delay: 0,
      due: 0,
      inFlight: 1,
      ...work
    }
    const name = `${/([^/]+)\/system\.js$/.exec(file)?.[1] ?? file.replace(/^.*\/|\.ts$/g, "")}-${task}`
    const child = fork(existsSync(file) ? program : "", [file, task, JSON.stringify(whole)], {
      execArgv: options.profiles === undefined ? [...flags] : [
        ...flags,
        "--cpu-prof",
        `--cpu-prof-dir=${options.profiles}`,
        `--cpu-prof-name=${name}-${Date.now()}.cpuprofile`
      ],
      stdio: ["ignore", "ignore", "inherit", "ipc"]
    })
    children.add(child)
    const ready = Promise.withResolvers<void>()
    const report = Promise.withResolvers<ProcessReport>()
    const ended = Promise.withResolvers<void>()
    const timer = setTimeout(() => child.kill("SIGKILL"), longest)
    child.on("message", (message: "ready" | ProcessReport) => {
      if (message === "ready") return ready.resolve()
      const { handled, left, wrong } = message
      // Who shares a backlog does not know how much of it is its own.
      const done = task === "share" || handled === whole.total
      if (done && wrong === 0 && left === 0) return report.resolve(message)
      report.reject(new Error(`${name}: ${handled} of ${whole.total} handled, ${wrong} wrong, ${left} left`))
    })
    child.once("exit", (code, signal) => {
      clearTimeout(timer)
      children.delete(child)
      const error = new Error(`${name} ended early (${signal ?? code})`)
      ready.reject(error)
      report.reject(error)
      ended.resolve()
    })
    // Whoever awaits them hears of it; a process that fails after the others did is no news.
    ready.promise.catch(() => {})
    report.promise.catch(() => {})
    return {
      ready: ready.promise,
      report: report.promise,
      ended: ended.promise,
      go: () => child.send("go"),
      stop: () => child.send("stop")
    }
  }

  return {
    url: options.url,
    redis,
    start,
    run: async (file, task, work) => {
      const running = start(file, task, work)
      const report = await running.report
      await running.ended
      return report
    },
    close: () => {
      redis.disconnect()
      for (const child of children) child.kill("SIGKILL")
    }
  }
}
