/** The command line as a process, as a person or a script runs it. */
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

export interface Result {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

const bin = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url))
const compileCache = fileURLToPath(new URL("../../node_modules/.cache/test-processes", import.meta.url))

export interface Options {
  readonly env?: { readonly [name: string]: string } | undefined
  readonly input?: string | undefined
  /** Sends SIGINT as soon as the output matches. */
  readonly until?: ((output: string) => boolean) | undefined
}

const environment = (url: string) => ({
  PATH: process.env["PATH"],
  HOME: process.env["HOME"],
  NODE_COMPILE_CACHE: compileCache,
  REDIS_URL: url
})

/** Runs `redis-workers` with arguments, and returns how it ended and what it wrote. */
export const redisWorkers = (
  url: string,
  args: ReadonlyArray<string>,
  { env, input, until }: Options = {}
): Effect.Effect<Result> =>
  Effect.callback<Result>((resume) => {
    const child = spawn(process.execPath, [bin, ...args], {
      env: { ...environment(url), ...env },
      stdio: ["pipe", "pipe", "pipe"]
    })
    let stdout = ""
    let stderr = ""
    const check = () => {
      if (until?.(stdout + stderr) === true) child.kill("SIGINT")
    }
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text
      check()
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text
      check()
    })
    child.once("close", (status) => resume(Effect.succeed({ status, stdout, stderr })))
    child.stdin.on("error", () => {})
    child.stdin.end(input ?? "")
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/** Runs `redis-workers` on a terminal of some width (with `script` of util-linux), and returns all that it showed. */
export const onTerminal = (
  url: string,
  args: ReadonlyArray<string>,
  { columns, env }: { readonly columns: number; readonly env?: Options["env"] }
): Effect.Effect<string> =>
  Effect.callback<string>((resume) => {
    const quoted = [process.execPath, bin, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ")
    const child = spawn("script", ["-qefc", `stty cols ${columns} rows 40; exec ${quoted}`, "/dev/null"], {
      env: { ...environment(url), TERM: "xterm-256color", ...env },
      stdio: ["ignore", "pipe", "ignore"]
    })
    let output = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text
    })
    child.once("close", () => resume(Effect.succeed(output)))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/** The JSON of a command that must succeed. */
export const jsonOf = ({ status, stderr, stdout }: Result): unknown => {
  if (status !== 0) throw new Error(`it ended with status ${status}:\n${stderr}${stdout}`)
  return JSON.parse(stdout)
}
