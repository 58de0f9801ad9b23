/** Builds the page before its tests, and fails at once where there is no browser. */
import { execFileSync } from "node:child_process"
import { chromium, missingChromium } from "../../scripts/chromium-binary.ts"

export default () => {
  execFileSync(process.execPath, ["scripts/dashboard.ts"], { stdio: "ignore" })
  if (chromium() === undefined) throw new Error(missingChromium())
}
