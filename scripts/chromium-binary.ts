/** Finds the browser that the tests start: `CHROMIUM` if it is set, otherwise Chromium or Chrome on the path. */
import { spawnSync } from "node:child_process"

export const chromium = (): string | undefined => {
  const named = process.env["CHROMIUM"]
  const candidates = named === undefined || named === "" ? ["chromium", "chromium-browser", "google-chrome"] : [named]
  for (const name of candidates) {
    const path = spawnSync("sh", ["-c", "command -v \"$1\"", "sh", name], { encoding: "utf8" }).stdout.trim()
    if (path !== "") return path
  }
  return undefined
}
