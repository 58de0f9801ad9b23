/**
 * `npm run test:redis`: what the library asks of a server, on newer servers than the one that the other tests run on.
 *
 * They come from Debian's packages, unpacked with all that they need into node_modules/.cache and run through their own
 * loader: nothing is installed, and the system may be an older one. Where that cannot be had, a line says so and the
 * run is no failure, unless `--required` is given.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"

/** Which release of Debian has which server is fixed; its security updates come by themselves. */
const servers = [
  { name: "Redis 8.0", suite: "trixie", package: "redis-server" },
  { name: "Valkey 8.1", suite: "trixie", package: "valkey-server" }
] as const

/**
 * What every command, reply and script is held against, and a worker at work. (RedisMemory.differential.test.ts is left
 * out: the memory layer replies as Redis 7.0 does to the last word.)
 */
const tests = [
  "test/both/conformance.test.ts",
  "test/server/scriptsOnServer.test.ts",
  "test/both/worker.settlement.test.ts",
  "test/server/IoRedis.test.ts",
  "test/both/rollout.test.ts"
]

const root = dirname(import.meta.dirname)
const cache = join(root, "node_modules/.cache/redis-versions")
const say = (line: string): void => void process.stdout.write(`${line}\n`)
const run = (program: string, ...args: ReadonlyArray<string>): string =>
  execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })

/** Where this system gets its packages from: the first address that is not for security updates alone. */
const mirror = (): string => {
  const found = run("apt-get", "indextargets", "--format", "$(REPO_URI)").split("\n")
    .find((address) => /\/debian\/?$/.test(address))
  if (found === undefined) throw new Error("apt has no mirror of Debian")
  return found
}

/** Downloads the package and all that it depends on, as if nothing were installed, and unpacks it. */
const unpack = (suite: string, name: string, folder: string): void => {
  const apt = join(folder, "apt")
  const files = join(folder, "root")
  for (const path of ["lists/partial", "cache/archives/partial"]) mkdirSync(join(apt, path), { recursive: true })
  mkdirSync(files, { recursive: true })
  writeFileSync(join(apt, "status"), "")
  writeFileSync(join(apt, "sources.list"), `deb ${mirror()} ${suite} main\n`)
  const options = [
    `Dir::Etc::SourceList=${join(apt, "sources.list")}`,
    "Dir::Etc::SourceParts=/dev/null",
    `Dir::State::Lists=${join(apt, "lists")}`,
    `Dir::State::status=${join(apt, "status")}`,
    `Dir::Cache=${join(apt, "cache")}`,
    "APT::Sandbox::User=root"
  ].flatMap((option) => ["-o", option])
  run("apt-get", ...options, "-qq", "update")
  run("apt-get", ...options, "-qq", "-y", "--no-install-recommends", "--download-only", "install", name)
  const archives = join(apt, "cache/archives")
  for (const file of readdirSync(archives).filter((file) => file.endsWith(".deb"))) {
    run("dpkg", "-x", join(archives, file), files)
  }
  rmSync(apt, { recursive: true })
}

/** The path of a program that starts the server. */
const obtain = ({ package: name, suite }: typeof servers[number]): string => {
  const folder = join(cache, `${suite}-${name}`)
  const start = join(folder, name)
  if (!existsSync(start)) {
    rmSync(folder, { recursive: true, force: true })
    unpack(suite, name, folder)
    const libraries = join(folder, "root/usr/lib")
    const machine = readdirSync(libraries).find((file) => file.endsWith("-linux-gnu"))
    const loader = machine === undefined
      ? undefined
      : readdirSync(join(libraries, machine)).find((file) => /^ld-linux.*\.so\.\d+$/.test(file))
    if (machine === undefined || loader === undefined) throw new Error("its loader is not where it was expected")
    const path = join(libraries, machine)
    writeFileSync(
      start,
      `#!/bin/sh\nexec "${path}/${loader}" --library-path "${path}" "${folder}/root/usr/bin/${name}" "$@"\n`
    )
    chmodSync(start, 0o755)
  }
  return start
}

let missing = 0
for (const server of servers) {
  const begun = performance.now()
  let program: string
  let version: string
  try {
    program = obtain(server)
    version = /v=\S+/.exec(run(program, "--version"))?.[0] ?? ""
  } catch (error) {
    missing += 1
    const [reason] = String(error instanceof Error && "stderr" in error && error.stderr || error).trim().split("\n")
    say(`– ${server.name} not tried: Debian's packages do not offer it here (${reason})`)
    continue
  }
  const vitest = join(root, "node_modules/vitest/vitest.mjs")
  // The tests of the conformance suite itself use no server.
  const args = ["run", "--project", "server", "-t", "^(?!the conformance suite)", ...tests]
  const { output, status, stdout } = spawnSync(process.execPath, [vitest, ...args], {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, REDIS_SERVER: program, NO_COLOR: "1" }
  })
  const summary = stdout.trim().split("\n").at(-1) ?? ""
  if (status !== 0) {
    say(output.join(""))
    say(`✗ ${server.name} (${version})`)
    process.exit(1)
  }
  say(`✓ ${server.name} (${version})  ${summary}, ${((performance.now() - begun) / 1000).toFixed(1)} s`)
}
if (missing > 0 && process.argv.includes("--required")) process.exit(1)
