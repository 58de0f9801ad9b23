/**
 * Makes sure that the tests have a Redis server program to start, and installs
 * one where that needs no question: with apt as root, with Homebrew on macOS.
 *
 * The tests need the program, not a running server. They start servers of their
 * own on free ports, stop them, freeze them and cut their connections, which
 * nobody may do to a server that belongs to somebody else: `REDIS_URL` is
 * therefore no substitute, and no test is skipped for it.
 *
 * An installed package must not leave a server on the standard port. On Debian
 * and Ubuntu a package starts its service while it is configured unless
 * `/usr/sbin/policy-rc.d` forbids it, so that file forbids it for as long as
 * the installation takes. The service is disabled as well, for the next boot.
 */
import { spawnSync } from "node:child_process"
import { chmodSync, existsSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { findRedisServer, missingRedisServer } from "./redis-binary.ts"

const policy = "/usr/sbin/policy-rc.d"
const policyKept = `${policy}.before-redis-server`

const say = (line: string): void => {
  process.stderr.write(`ensure-redis: ${line}\n`)
}

const fail = (line: string): never => {
  say(line)
  process.exit(1)
}

const onPath = (program: string): boolean =>
  (process.env["PATH"] ?? "").split(":").some((directory) => directory !== "" && existsSync(`${directory}/${program}`))

/** Runs a program, its output on ours, and says whether it ended well. */
const run = (program: string, ...args: ReadonlyArray<string>): boolean =>
  spawnSync(program, args, {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" }
  }).status === 0

/** Runs a program of which only the effect matters, where it may be missing. */
const attempt = (program: string, ...args: ReadonlyArray<string>): void => {
  spawnSync(program, args, { stdio: "ignore" })
}

const withoutServiceStart = (install: () => boolean): boolean => {
  const others = existsSync(policy)
  if (others) renameSync(policy, policyKept)
  writeFileSync(policy, "#!/bin/sh\nexit 101\n")
  chmodSync(policy, 0o755)
  try {
    return install()
  } finally {
    rmSync(policy, { force: true })
    if (others) renameSync(policyKept, policy)
  }
}

const installWithApt = (): boolean =>
  withoutServiceStart(() => {
    if (!run("apt-get", "update", "-qq")) return false
    if (!run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "redis-server")) return false
    attempt("systemctl", "disable", "--now", "redis-server.service")
    attempt("update-rc.d", "redis-server", "disable")
    return true
  })

if (findRedisServer() === undefined) {
  const named = process.env["REDIS_SERVER"]
  if (named !== undefined && named !== "") fail(missingRedisServer())

  const given = process.env["REDIS_URL"] === undefined
    ? ""
    : " (REDIS_URL does not replace it: tests break their servers)"
  // Ctrl-C ends the installer, which is in the foreground too, and lets us put things back.
  process.on("SIGINT", () => undefined)

  if (process.platform === "darwin" && onPath("brew")) {
    say("no redis-server on the path, installing one with Homebrew")
    if (!run("brew", "install", "redis")) fail("brew install redis failed")
  } else if (process.getuid?.() === 0 && onPath("apt-get")) {
    say("no redis-server on the path, installing one with apt (its service is not started)")
    if (!installWithApt()) fail("apt-get install redis-server failed")
  } else {
    const how = onPath("apt-get")
      ? "run `sudo apt-get install redis-server`"
      : "install redis-server or valkey-server 7 or newer"
    fail(`${missingRedisServer()}; ${how}, or set REDIS_SERVER to the program${given}`)
  }

  if (findRedisServer() === undefined) fail(`the installation ended well, but ${missingRedisServer()}`)
}
