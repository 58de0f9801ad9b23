/**
 * Makes sure that the tests of the dashboard have a Chromium to start: installs Debian's as root, and otherwise says how to
 * in one line and fails. `CHROMIUM` names another program.
 */
import { spawnSync } from "node:child_process"
import { chromium, missingChromium, namedChromium } from "./chromium-binary.ts"

const fail = (line: string): never => {
  process.stderr.write(`ensure-chromium: ${line}\n`)
  process.exit(1)
}

const run = (...args: ReadonlyArray<string>): boolean =>
  spawnSync("apt-get", args, {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" }
  }).status === 0

if (chromium() === undefined) {
  const canInstall = process.getuid?.() === 0 && spawnSync("apt-get", ["--version"]).status === 0
  if (namedChromium() !== undefined || !canInstall) fail(missingChromium())
  process.stderr.write("ensure-chromium: no Chromium on the path, installing one with apt\n")
  if (!run("update", "-qq") || !run("install", "-y", "-qq", "--no-install-recommends", "chromium")) {
    fail("apt-get install chromium failed")
  }
  if (chromium() === undefined) fail("the installation ended well, but chromium does not run")
}
