/**
 * Bars of the scenarios that people ask for first, as an SVG that follows the reader's light or dark colours.
 */
import type { Result } from "./results.ts"
import { library } from "./scenario.ts"

const width = 900
const labelWidth = 380
const barWidth = 360
const rowHeight = 26
const captionHeight = 20

const escape = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")

const style = `
  .page { fill: #ffffff } .text { fill: #1f2328 } .faint { fill: #59636e } .bar { fill: #afb8c1 } .own { fill: #1a7f64 }
  .range { stroke: #59636e }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } .text { fill: #e6edf3 } .faint { fill: #9198a1 } .bar { fill: #4d5661 } .own { fill: #2fb48f }
    .range { stroke: #9198a1 }
  }
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif } .title { font-weight: 600; font-size: 14px }`

const panel = (results: ReadonlyArray<Result>, top: number): string => {
  const longest = Math.max(...results.map((result) => result.max))
  const x = (value: number) => (labelWidth + value / longest * barWidth).toFixed(1)
  const [first] = results
  const bars = results.map((result, index) => {
    const y = top + 26 + index * rowHeight
    const own = result.system.startsWith(library)
    const ratio = result.ratio_to_hand_written === null ? "" : `  (${result.ratio_to_hand_written.toFixed(2)} ×)`
    return `
  <text class="text" x="${labelWidth - 12}" y="${y + 15}" text-anchor="end">${escape(result.system)}</text>
  <rect class="${own ? "own" : "bar"}" x="${labelWidth}" y="${y + 3}" width="${
      Math.max(1, result.median / longest * barWidth).toFixed(1)
    }" height="16" rx="2"/>
  <path class="range" d="M${x(result.min)} ${y + 11}H${x(result.max)}M${x(result.min)} ${y + 8}v6M${x(result.max)} ${
      y + 8
    }v6"/>
  <text class="faint" x="${labelWidth + barWidth + 12}" y="${y + 15}">${
      Math.round(result.median).toLocaleString("en")
    }${ratio}</text>`
  })
  return `
  <text class="text title" x="16" y="${top + 14}">${escape(first?.scenario ?? "")}, ${
    escape(first?.unit ?? "")
  }</text>${bars.join("")}`
}

/** One panel a scenario; the thin line spans all rounds, the bar ends at their median. */
export const pictureOf = (
  panels: ReadonlyArray<ReadonlyArray<Result>>,
  captions: ReadonlyArray<string>
): string => {
  let top = 20
  const parts: Array<string> = []
  for (const results of panels) {
    parts.push(panel(results, top))
    top += 26 + results.length * rowHeight + 24
  }
  const lines = captions.map((caption, index) => `
  <text class="faint" x="16" y="${top + 4 + index * captionHeight}">${escape(caption)}</text>`)
  const height = top + captions.length * captionHeight
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="Benchmark results">
  <style>${style}
  </style>
  <rect class="page" width="100%" height="100%" rx="8"/>${parts.join("")}${lines.join("")}
</svg>
`
}
