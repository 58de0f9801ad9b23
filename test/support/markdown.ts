/** The fenced blocks of one language, in the order of the text. */
export const blocks = (markdown: string, language: string): ReadonlyArray<string> =>
  fences(markdown).filter((fence) => fence.language === language).map(({ text }) => text)

export interface Fence {
  readonly language: string
  /** What stands behind the language, such as `run` or `file=contracts.ts`. */
  readonly notes: ReadonlyArray<string>
  readonly text: string
  /** Number of the first line of the text, from 1. */
  readonly line: number
}

/** All fenced blocks, in the order of the text. */
export const fences = (markdown: string): ReadonlyArray<Fence> =>
  [...markdown.matchAll(/^```(\w+)\b(.*)\n([\s\S]*?)^```$/gm)].map((match) => ({
    language: match[1]!,
    notes: match[2]!.split(" ").filter((note) => note !== ""),
    text: match[3]!,
    line: markdown.slice(0, match.index).split("\n").length + 1
  }))

/** The text without its fenced blocks. */
export const prose = (markdown: string): string => markdown.replace(/^```[\s\S]*?^```$/gm, "")

/** The rows of the table that follows a heading or marker, without its head; cells as they are written. */
export const rowsAfter = (markdown: string, start: string): ReadonlyArray<ReadonlyArray<string>> => {
  const at = markdown.indexOf(start)
  const table = at === -1 ? undefined : /(?:^\|.*\n)+/m.exec(markdown.slice(at + start.length))?.[0]
  return (table ?? "").trim().split("\n").slice(2).map((row) =>
    row.slice(1, -1).split(/(?<!\\)\|/).map((cell) => cell.trim())
  )
}

/** A table with a head. */
export const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  [head, head.map(() => "---"), ...rows.map((row) => row.map((cell) => cell.replaceAll("|", "\\|")))]
    .map((cells) => `| ${cells.join(" | ")} |`).join("\n")

/** What headings are called in a link, as GitHub does it. */
export const anchors = (markdown: string): ReadonlyArray<string> =>
  [...prose(markdown).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(" ", "-")
  )

/** The docstrings of a source, everything else blanked, so that lines keep their numbers. */
export const docstrings = (source: string): string => {
  let inside = false
  return source.split("\n").map((line) => {
    if (/^\s*\/\*\*/.test(line)) inside = true
    const text = inside ? line.replace(/^\s*(?:\/\*\*|\*(?!\/)) ?/, "") : ""
    if (line.includes("*/")) inside = false
    return text
  }).join("\n")
}
