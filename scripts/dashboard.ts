/**
 * Builds the page of the dashboard into `dist/dashboard`: one HTML file, one script, one style sheet. `npm run build` runs
 * it, and the tests of the dashboard. It fails when the three together are larger than 80 kB, compressed.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { gzipSync } from "node:zlib"
import { rolldown } from "rolldown"

const most = 80_000
const target = "dist/dashboard"

const licence = `/*!\npreact:\n${readFileSync("node_modules/preact/LICENSE", "utf8").trim()}\n*/`

const bundle = await rolldown({
  input: "dashboard/main.tsx",
  platform: "browser",
  tsconfig: "dashboard/tsconfig.json",
  transform: { target: "es2022", jsx: { runtime: "automatic" } }
})
const { output } = await bundle.generate({ format: "esm", minify: true, banner: licence, codeSplitting: false })
await bundle.close()

const files = {
  "index.html": readFileSync("dashboard/index.html", "utf8"),
  "app.js": output[0].code,
  "app.css": readFileSync("dashboard/style.css", "utf8")
}

mkdirSync(target, { recursive: true })
let size = 0
for (const [name, text] of Object.entries(files)) {
  writeFileSync(`${target}/${name}`, text)
  size += gzipSync(text).length
}
process.stdout.write(`dashboard: ${(size / 1_000).toFixed(1)} kB compressed\n`)
if (size > most) {
  process.stdout.write(`The dashboard may have ${most / 1_000} kB\n`)
  process.exitCode = 1
}
