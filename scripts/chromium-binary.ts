/** Finds the browser that the tests start: `CHROMIUM` if it is set, otherwise Chromium or Chrome on the path or in macOS. */
import { spawnSync } from "node:child_process"

const usual = [
  "chromium",
  "chromium-browser",
  "google-chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
]

/** The program that `CHROMIUM` names, if it names one. */
export const namedChromium = (): string | undefined => process.env["CHROMIUM"] || undefined

export const chromium = (): string | undefined => {
  const named = namedChromium()
  for (const name of named === undefined ? usual : [named]) {
    const path = spawnSync("sh", ["-c", "command -v \"$1\"", "sh", name], { encoding: "utf8" }).stdout.trim()
    if (path !== "") return path
  }
  return undefined
}

/** Why there is no browser, in one line that says what to do. */
export const missingChromium = (): string => {
  const named = namedChromium()
  return named !== undefined
    ? `CHROMIUM is ${named}, which is not a program: correct it, or unset it`
    : "the tests of the dashboard need Chromium: run `sudo apt-get install chromium` (macOS: `brew install --cask " +
      "chromium`), or set CHROMIUM to the program"
}
