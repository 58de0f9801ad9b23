/**
 * `npm run test:node`: the built package on each major version of Node that it is for.
 *
 * Each version comes from the npm package `node`, installed once into node_modules/.cache. On each run, the packed package
 * loads all of its modules, and the quickstart answers, in memory and on a redis-server.
 */
import * as Effect from "effect/Effect"
import { execFile, execFileSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { start as startServer } from "../test/support/redisServer.ts"
import { installPacked } from "./packed.ts"
import { findRedisServer } from "./redis-binary.ts"

/** Exact, so that the same commit always runs on the same Node. */
const versions = ["22.23.3", "24.21.0", "26.9.0"]

const root = dirname(import.meta.dirname)
const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`
const say = (line: string): void => void process.stdout.write(`${line}\n`)

/** The path of that Node. */
const install = (version: string): string => {
  // The one that development runs on is here already.
  if (process.version === `v${version}`) return process.execPath
  const folder = join(root, "node_modules/.cache/node-versions", version)
  const binary = join(folder, "node_modules/node/bin/node")
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true })
    // The package fetches the one for this system in a script of its own.
    writeFileSync(join(folder, "package.json"), "{ \"private\": true, \"allowScripts\": { \"node\": true } }")
    execFileSync("npm", ["install", "--no-audit", "--no-fund", "--no-save", `node@${version}`], {
      cwd: folder,
      stdio: ["ignore", "ignore", "inherit"]
    })
  }
  return binary
}

const writePrograms = (project: string): void => {
  const modules = readdirSync(join(project, "node_modules/effect-redis-workers/dist"))
    .filter((file) => /^[A-Z].*\.js$/.test(file)).map((file) => `/${file.slice(0, -3)}`)
  writeFileSync(
    join(project, "modules.js"),
    `for (const module of ${JSON.stringify(["", "/testing", ...modules])}) await import("effect-redis-workers" + module)
console.log(process.version)`
  )
  // Node 22 and newer take the types away themselves.
  const quickstart = readFileSync(join(root, "examples/quickstart.ts"), "utf8")
  writeFileSync(join(project, "quickstart.ts"), quickstart.replace("\"../src/index.ts\"", "\"effect-redis-workers\""))
}

/** What is run: a program, what it must say, and whether it does so on the server. */
const programs = [
  { file: "modules.js", onServer: false, says: (version: string) => `v${version}\n` },
  { file: "quickstart.ts", onServer: false, says: () => "1000 of 1000 requests" },
  { file: "quickstart.ts", onServer: true, says: () => "1000 of 1000 requests" }
] as const

const project = mkdtempSync(join(tmpdir(), "effect-redis-workers-node-"))

const main = Effect.gen(function*() {
  const begun = performance.now()
  installPacked(project)
  writePrograms(project)
  const binary = findRedisServer()
  const server = yield* startServer({ binary })
  say(`packed in ${seconds(begun)}`)

  for (const version of versions) {
    const start = performance.now()
    const node = install(version)
    for (const { file, onServer, says } of programs) {
      const { PATH, HOME } = process.env
      const { stderr, stdout } = yield* Effect.tryPromise(() =>
        promisify(execFile)(node, [file], {
          cwd: project,
          timeout: 120_000,
          env: { PATH, HOME, NO_COLOR: "1", ...onServer ? { REDIS_URL: server.url } : {} }
        })
      )
      if (!stdout.includes(says(version))) {
        return yield* Effect.die(new Error(`Node ${version}, ${file}: unexpected output\n${stdout}${stderr}`))
      }
    }
    say(`✓ Node ${version}  ${programs.length} programs, ${seconds(start)}`)
  }
}).pipe(Effect.scoped, Effect.ensuring(Effect.sync(() => rmSync(project, { recursive: true, force: true }))))

await Effect.runPromise(main)
