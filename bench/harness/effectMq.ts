/**
 * effect-mq loads with an older Effect than this repository, so it has a folder of its own, installed when it is wanted.
 */
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { effectMqFile } from "./bench.ts"

const folder = dirname(effectMqFile)

/** Whether effect-mq can take part; installs it if `install` says so. */
export const isThere = (install: boolean): boolean => {
  const installed = () => existsSync(join(folder, "node_modules/effect-mq"))
  if (!installed() && install) {
    process.stdout.write("Installing effect-mq and its own Effect in bench/effect-mq …\n")
    spawnSync("npm", ["install", "--no-audit", "--no-fund", "--no-package-lock"], { cwd: folder, stdio: "ignore" })
  }
  if (!installed()) {
    process.stdout.write(
      install
        ? "effect-mq is left out: it could not be installed (npm install in bench/effect-mq tells why)\n"
        : "effect-mq is left out: it is not installed (npm install in bench/effect-mq)\n"
    )
  }
  return installed()
}
