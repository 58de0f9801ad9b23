/**
 * `npm run test:node`: the built package on each major version of Node that it is for, on Bun and on Deno.
 *
 * On each of them the packed package loads all of its modules, the quickstart answers, in memory and on a redis-server,
 * and a worker whose connections were cut answers a request. It gets SIGTERM while it handles a second one: the answer
 * still comes, and the process ends with status 0.
 *
 * Where Bun or Deno cannot be had, a line says so and the run is no failure, unless `--required` is given.
 */
import * as Effect from "effect/Effect"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { type Program, start } from "../test/support/processes.ts"
import { type Server, start as startServer } from "../test/support/redisServer.ts"
import { installPacked } from "./packed.ts"
import { findRedisServer } from "./redis-binary.ts"
import { install, type Runtime, runtimes } from "./runtimes.ts"

const root = dirname(import.meta.dirname)
const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`
const say = (line: string): void => void process.stdout.write(`${line}\n`)

/** What a program may take for all that it does. */
const within = 120_000

const writePrograms = (project: string): void => {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { exports: object }
  const modules = Object.keys(exports).filter((path) => !path.endsWith(".json")).map((path) => path.slice(1))
  writeFileSync(
    join(project, "modules.ts"),
    `for (const module of ${JSON.stringify(modules)}) await import("effect-redis-workers" + module)
const { bun, deno, node } = process.versions
console.log("loaded ${modules.length} on " + (bun ?? deno ?? node))`
  )
  // All of these runtimes take the types away themselves.
  const packed = readdirSync(join(root, "test/programs")).filter((file) => file.startsWith("packed"))
  for (const file of ["examples/quickstart.ts", ...packed.map((file) => `test/programs/${file}`)]) {
    const text = readFileSync(join(root, file), "utf8")
    writeFileSync(
      join(project, file.slice(file.lastIndexOf("/") + 1)),
      text.replace(/"(?:\.\.\/)+src\/index\.ts"/, "\"effect-redis-workers\"")
    )
  }
}

const main = Effect.gen(function*() {
  const begun = performance.now()
  const project = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-redis-workers-node-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
  installPacked(project)
  writePrograms(project)
  const server = yield* startServer({ binary: findRedisServer() })
  say(`packed in ${seconds(begun)}`)

  let missing = 0
  for (const runtime of runtimes) {
    const name = `${runtime.name} ${runtime.version}`
    const start = performance.now()
    let program: string
    try {
      program = install(runtime)
    } catch (error) {
      if (!runtime.optional || process.argv.includes("--required")) throw error
      missing += 1
      const reason = String(error).trim().split("\n").find((line) => line.includes("npm error")) ?? String(error)
      say(`– ${name} not tried: it cannot be had from npm here (${reason})`)
      continue
    }
    yield* tried(project, runtime, program, server)
    say(`✓ ${name}  modules, quickstart twice, worker with SIGTERM, ${seconds(start)}`)
  }
  if (missing > 0) say(`${missing} of ${runtimes.length} runtimes not tried`)
}).pipe(Effect.scoped)

/** Dies with the output of a program that does not do what is expected. */
const tried = Effect.fnUntraced(
  function*(project: string, { args, env, version }: Runtime, path: string, server: Server) {
    const run = (name: string, more: { readonly [name: string]: string } = {}) =>
      start(name, { runtime: [path, ...args], folder: project, env: { NO_COLOR: "1", ...env, ...more } })
    const ends = (program: Program) =>
      Effect.tap(program.ended(within), ({ signal, status }) =>
        status === 0
          ? Effect.void
          : Effect.die(new Error(`it ended with ${signal ?? status}\n${program.lines().join("\n")}`)))

    for (
      const [name, more, line] of [
        ["modules", {}, new RegExp(`^loaded \\d+ on ${version.replaceAll(".", "\\.")}$`)],
        ["quickstart", {}, /1000 of 1000 requests/],
        ["quickstart", { REDIS_URL: server.url }, /1000 of 1000 requests/]
      ] as const
    ) {
      const program = yield* run(name, more)
      yield* program.line(line, within)
      yield* ends(program)
    }

    const service = { REDIS_URL: server.url, SERVICE_NAME: "shop" }
    const worker = yield* run("packedWorker", service)
    yield* worker.line(/^worker is up$/, within)
    // It has to come back by itself before it can answer.
    yield* server.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    const client = yield* run("packedClient", service)
    yield* client.line(/^price 300$/, within)
    yield* worker.line(/^packing tea$/, within)
    yield* worker.signal("SIGTERM")
    yield* client.line(/^parcel box of tea$/, within)
    yield* ends(client)
    yield* ends(worker)
    // Nothing is left of what it had taken, nor of the worker itself.
    const left = yield* server.cli("XINFO", "GROUPS", "nooble4:dev:shop:streams:main")
    const [group] = left as ReadonlyArray<ReadonlyArray<unknown>>
    const field = (of: string): unknown => group?.[group.indexOf(of) + 1]
    if (field("pending") !== 0 || field("consumers") !== 0) {
      return yield* Effect.die(new Error(`the worker left something in its group: ${JSON.stringify(group)}`))
    }
    yield* server.flush
  },
  Effect.scoped
)

await Effect.runPromise(main)
