/**
 * The runtimes that the package is tried on, as programs on this machine.
 *
 * Each comes from npm, installed once into node_modules/.cache. Bun and Deno bring their program in a package for the system,
 * so no script of theirs has to run.
 */
import { execFileSync } from "node:child_process"
import { existsSync, globSync, mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"

export interface Runtime {
  readonly name: string
  readonly version: string
  /** Arguments before the file of a program. */
  readonly args: ReadonlyArray<string>
  readonly env: { readonly [name: string]: string }
  /** A machine that cannot have it still passes. */
  readonly optional: boolean
  /** Where its program is below the folder in which npm has installed it. */
  readonly program: string
  /** A package whose script has to run. */
  readonly script?: string
}

const cache = join(dirname(import.meta.dirname), "node_modules/.cache/runtimes")

const node = (version: string): Runtime => ({
  name: "Node",
  version,
  args: [],
  env: {},
  optional: false,
  program: "node_modules/node/bin/node",
  // It fetches the one for this system.
  script: "node"
})

/** Exact, so that the same commit always runs on the same runtimes. */
export const runtimes: ReadonlyArray<Runtime> = [
  node("22.23.3"),
  node("24.21.0"),
  node("26.9.0"),
  {
    name: "Bun",
    version: "1.4.5",
    // Without it, Bun would download what it does not find.
    args: ["run", "--no-install"],
    env: {},
    optional: true,
    program: "node_modules/@oven/bun-*/bin/bun"
  },
  {
    name: "Deno",
    version: "2.9.6",
    args: ["run", "--allow-all", "--no-lock", "--cached-only"],
    env: { DENO_DIR: join(cache, "deno-dir"), DENO_NO_UPDATE_CHECK: "1" },
    optional: true,
    program: "node_modules/@deno/*/deno"
  }
]

const works = (program: string): boolean => {
  try {
    execFileSync(program, ["--version"], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
}

/** The path of its program. Throws when it cannot be had. */
export const install = ({ name, program, script, version }: Runtime): string => {
  // The one that development runs on is here already.
  if (name === "Node" && process.version === `v${version}`) return process.execPath
  const spec = `${name.toLowerCase()}@${version}`
  const folder = join(cache, spec.replace("@", "-"))
  // The packages for other C libraries (musl) come along on some versions of npm, and do not start.
  const find = () => globSync(program, { cwd: folder }).map((path) => join(folder, path)).find(works)
  const found = existsSync(folder) ? find() : undefined
  if (found !== undefined) return found
  mkdirSync(folder, { recursive: true })
  const allowScripts = script === undefined ? {} : { [script]: true }
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, allowScripts }))
  const flags = ["--no-audit", "--no-fund", "--no-save", ...script === undefined ? ["--ignore-scripts"] : []]
  execFileSync("npm", ["install", ...flags, spec], { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })
  const installed = find()
  if (installed === undefined) throw new Error(`${spec} has no program for ${process.platform} on ${process.arch}`)
  return installed
}
