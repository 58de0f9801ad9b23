/**
 * Programs of test/programs as child processes: started with settings of their own, watched by their lines, signalled,
 * and gone with the scope whatever happens.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { type ChildProcess, spawn } from "node:child_process"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { until } from "./until.ts"

/** How a process ended: with a status, or by a signal. */
export interface Ended {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Program {
  readonly pid: number
  /** All lines of both outputs so far. */
  readonly lines: () => ReadonlyArray<string>
  /** How many lines match. */
  readonly count: (pattern: RegExp) => number
  /** Waits for a line that matches, also one that was written before; fails with the whole output. */
  readonly line: (pattern: RegExp, within?: number) => Effect.Effect<string>
  /** Waits until so many lines match. */
  readonly linesOf: (pattern: RegExp, count: number, within?: number) => Effect.Effect<ReadonlyArray<string>>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** Waits for the end of the process. */
  readonly ended: (within?: number) => Effect.Effect<Ended>
  readonly isRunning: () => boolean
}

export interface Options {
  /** Environment on top of `PATH` and `HOME`. */
  readonly env?: { readonly [name: string]: string | undefined } | undefined
  /** Arguments of Node, before the program. */
  readonly nodeArgs?: ReadonlyArray<string> | undefined
  /** Another runtime than this process's own: its program, and the arguments before the file. */
  readonly runtime?: readonly [program: string, ...args: ReadonlyArray<string>] | undefined
  /** The folder of the program. Default: test/programs. */
  readonly folder?: string | undefined
}

/** Halves what a start costs, and a test may start many. */
const compileCache = fileURLToPath(new URL("../../node_modules/.cache/test-processes", import.meta.url))

/** Examples import the package by its name, which is the sources here: the package that a test has packed is what it is. */
const ofSources = ["-C", "@effect-redis-workers/source"]

const programs = fileURLToPath(new URL("../programs", import.meta.url))

const cleanups = new Set<() => void>()
process.once("exit", () => {
  for (const cleanup of cleanups) cleanup()
})

/** Ends the child when this process is gone, which the system tells a shell by the end of its standard input. */
const guard = (pid: number): ChildProcess => {
  const child = spawn("sh", ["-c", "cat >/dev/null; kill -9 \"$1\"", "guard", String(pid)], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"]
  })
  child.on("error", () => {})
  child.stdin?.on("error", () => {})
  return child
}

/** Processes that start side by side hold each other up more than those that start one after another. */
const starting = Semaphore.makeUnsafe(1)

/** Starts `<name>.ts`. The next one starts when this one has said something, or has had its time. */
export const start = (name: string, options: Options = {}): Effect.Effect<Program, never, Scope.Scope> =>
  starting.withPermit(
    Effect.gen(function*() {
      const { program } = yield* Effect.acquireRelease(Effect.sync(() => launch(name, options)), ({ kill }) => kill)
      const up = Effect.sync(() => program.lines().length > 0 || !program.isRunning())
      yield* until(`${name} is up`, up, 5_000).pipe(Effect.catchDefect(() => Effect.void))
      return program
    })
  )

const launch = (name: string, options: Options): { readonly program: Program; readonly kill: Effect.Effect<void> } => {
  const file = join(options.folder ?? programs, `${name}.ts`)
  const [runtime, ...args] = options.runtime ??
    [process.execPath, ...options.folder === undefined ? ofSources : [], ...options.nodeArgs ?? []]
  const child = spawn(runtime, [...args, file], {
    cwd: options.folder,
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], NODE_COMPILE_CACHE: compileCache, ...options.env },
    stdio: ["ignore", "pipe", "pipe"]
  })
  const lines: Array<string> = []
  for (const output of [child.stdout, child.stderr]) {
    let rest = ""
    output.setEncoding("utf8")
    output.on("data", (chunk: string) => {
      const parts = (rest + chunk).split("\n")
      rest = parts.pop() ?? ""
      lines.push(...parts)
    })
    output.on("end", () => {
      if (rest !== "") lines.push(rest)
    })
  }
  const watchdog = guard(child.pid!)
  let end: Ended | undefined
  const cleanup = () => {
    if (end === undefined) child.kill("SIGKILL")
    watchdog.kill("SIGKILL")
  }
  cleanups.add(cleanup)
  const gone = () => {
    watchdog.kill("SIGKILL")
    cleanups.delete(cleanup)
  }
  child.once("exit", gone)
  // `close` comes after the last output, `exit` may come before it.
  child.once("close", (status, signal) => {
    end = { status, signal }
  })
  child.once("error", (error) => {
    lines.push(String(error))
    end ??= { status: null, signal: null }
    gone()
  })

  const waitFor = (what: string, condition: () => boolean, within?: number) =>
    until(what, Effect.sync(condition), within).pipe(
      Effect.catchDefect((defect) =>
        Effect.die(new Error(`${String(defect)}\n--- output of ${name} ---\n${lines.slice(-60).join("\n")}`))
      )
    )
  const count = (pattern: RegExp) => lines.filter((line) => pattern.test(line)).length
  const linesOf = (pattern: RegExp, wanted: number, within?: number) =>
    Effect.andThen(
      waitFor(
        `${wanted} lines like ${pattern}`,
        () => count(pattern) >= wanted || (end !== undefined && count(pattern) < wanted),
        within
      ),
      Effect.suspend(() =>
        count(pattern) >= wanted
          ? Effect.succeed(lines.filter((line) => pattern.test(line)))
          : Effect.die(
            new Error(
              `${name} ended (${JSON.stringify(end)}) without ${wanted} lines like ${pattern}:\n${
                lines.slice(-60).join("\n")
              }`
            )
          )
      )
    )
  const program: Program = {
    pid: child.pid!,
    lines: () => lines,
    count,
    line: (pattern, within) => Effect.map(linesOf(pattern, 1, within), (found) => found[0]!),
    linesOf,
    signal: (signal) =>
      Effect.sync(() => {
        child.kill(signal)
      }),
    ended: (within) =>
      Effect.andThen(waitFor("the process ended", () => end !== undefined, within), Effect.sync(() => end!)),
    isRunning: () => end === undefined
  }
  const kill = Effect.suspend(() => {
    if (end !== undefined) return Effect.void
    child.kill("SIGKILL")
    return Effect.asVoid(program.ended())
  })
  return { program, kill }
}
