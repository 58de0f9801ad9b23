/**
 * `npm run check:language`: counts habits that make English sound translated, in the documentation and in the comments of
 * `src`. It prints every place, and fails when there is one.
 *
 * The patterns are narrow on purpose. A sentence that is right must not be counted, so some that are wrong are missed.
 */
import { globSync, readFileSync } from "node:fs"

interface Habit {
  readonly name: string
  readonly instead: string
  readonly pattern: RegExp
}

// The verb of the sentence. It is singular, because a clause as the subject is.
const verb = "(?:is|was|has|can|cannot|may|must|will|gets|goes|comes|stays|counts|takes|fails|ends|needs)"
// A clause that opens another one ("what happens when it is full") has a verb of its own.
const opener = "(?:when|while|if|unless|where|before|after|until|because|so|that|which|who|how|whether|and|or|as)"

const habits: ReadonlyArray<Habit> = [
  {
    name: "a relative clause as the subject",
    instead: "name the subject: \"Messages over the limit are rejected\"",
    // "What is over the limit is rejected", but neither the question "What is a lease?" nor "What the handler returned."
    pattern: new RegExp(
      `(?<=^|[.!?;:|] )(?:What|Whatever|what)(?: (?!${opener}\\b)[^\\s.,;:?!|]+){1,10}? ` +
        `(?:are|were|have|${verb}|[a-z]+(?:s|ed)) (?:(?!${opener}\\b)[^\\s.,;:?!|]+ ){0,6}?${verb} (?!\\w+ ?\\?)[^?|]*?[.|;:]`,
      "g"
    )
  },
  {
    name: "\"is none\", \"is no X\"",
    instead: "say \"is not a URL\", or use an adjective: \"a malformed message\"",
    pattern:
      /(?<!\bthere )\b(?:is|are|was|were|be) (?:none\b|no (?!longer|more|such|less|fewer|matter|later|earlier|one\b)\w+)/gi
  },
  {
    name: "somebody, nobody, whoever",
    instead: "name the actor: the caller, the sender, another process",
    pattern:
      /\b(?:somebody|nobody|anybody|everybody|whoever|whoever's|nobody's|somebody's)\b|(?<=^|[.!?;:] )Who (?!\w+ [^.]*\?)[^?.]*\./gi
  },
  {
    name: "odd verbs: bear, stand, lie, mend, tell, anew, come back as",
    instead: "use the usual verb: carry, be, hold, fix, report, again, become",
    pattern: new RegExp(
      [
        "\\bbears?\\b(?! in mind)",
        "\\bborne\\b",
        "\\b(?:stands?|stood) (?:in|beside|there|at|under|before|behind|below|above|on)\\b",
        "\\b(?:lies?|lay) (?:in|beside|there|at|under|on)\\b",
        "\\bmend(?:s|ed|ing)?\\b",
        "\\b(?:tells?|told) of\\b",
        "\\b(?:is|are|was|were|be) told\\b(?! (?:to|about|apart|that|what|how|which|why|by)\\b)",
        "\\b(?:comes?|came|coming) back as\\b",
        "\\banew\\b",
        "\\b(?:play|plays|played) no part\\b"
      ].join("|"),
      "gi"
    )
  },
  {
    name: "sentences chained by colons",
    instead: "end the first sentence",
    pattern: /(?<=^|[.!?] )[^.!?|:]*: [^.!?|:]*: (?=[a-z])[^.!?|:]*[.!?]/g
  }
]

interface Paragraph {
  readonly text: string
  /** For each line of the paragraph, where it begins in `text`, and its number in the file. */
  readonly lines: ReadonlyArray<readonly [start: number, line: number]>
}

/** Joins lines of prose, so that a sentence may go over several of them. Code is blanked: it is quoted, not written. */
const paragraphsOf = (lines: ReadonlyArray<string | undefined>): ReadonlyArray<Paragraph> => {
  const paragraphs: Array<Paragraph> = []
  let text = ""
  let starts: Array<readonly [number, number]> = []
  const end = () => {
    if (text !== "") paragraphs.push({ text: `${text.trimEnd()} `, lines: starts })
    text = ""
    starts = []
  }
  let fenced = false
  lines.forEach((line, index) => {
    const isFence = line?.trimStart().startsWith("```") === true
    if (isFence) fenced = !fenced
    if (line === undefined || line.trim() === "" || isFence || fenced) return end()
    // Each item, row, heading and tag is a paragraph of its own.
    if (/^\s*(?:[-*|#@>]|\d+\.|\*\*)/.test(line)) end()
    starts.push([text.length, index + 1])
    text += `${
      line.trim().replace(/^(?:[-*]|\d+\.|#+) /, "").replace(/`[^`]*`|"[^"]*"/g, (code) => "x".repeat(code.length))
    } `
  })
  end()
  return paragraphs
}

const linesOfPage = (source: string) => source.replace(/<!--[\s\S]*?-->/g, "").split("\n")

/** The comments of a source, and of the Lua in it; the other lines are `undefined`. */
const linesOfSource = (source: string): ReadonlyArray<string | undefined> => {
  let inside = false
  return source.split("\n").map((line) => {
    const isLine = !inside && /^\s*(?:\/\/|--) (?!oxlint|---)/.test(line)
    if (/^\s*\/\*\*?(?:\s|$)/.test(line)) inside = true
    const text = inside ? line.replace(/^\s*(?:\/\*\*?|\*(?!\/)) ?/, "").replace(/\s*\*\/.*$/, "") : undefined
    if (line.includes("*/")) inside = false
    return isLine ? line.replace(/^\s*(?:\/\/|--) /, "") : text
  })
}

/** Texts in the code that have several words: messages of errors and log lines. An expression in a template is blanked. */
const textsOfSource = (source: string): ReadonlyArray<string | undefined> =>
  source.split("\n").map((line) => {
    if (/^\s*(?:\/\/|\/?\*)/.test(line) || line.includes("import ")) return undefined
    const texts = [...line.matchAll(/"((?:[^"\\]|\\.)+)"|`((?:[^`\\]|\\.)+)`/g)]
      .map(([, plain, template]) => (plain ?? template!).replaceAll(/\$\{[^}]*\}/g, "x").replaceAll("\\\"", "'"))
      .filter((text) => /^[A-Za-z][^(){}=<>]* [a-z]+ [a-z]+/.test(text))
    return texts.length === 0 ? undefined : `- ${texts.join(" ")}`
  })

const find = (files: ReadonlyArray<string>, linesOf: (source: string) => ReadonlyArray<string | undefined>): number => {
  let count = 0
  for (const file of files) {
    for (const { lines, text } of paragraphsOf(linesOf(readFileSync(file, "utf8")))) {
      for (const { instead, name, pattern } of habits) {
        for (const match of text.matchAll(pattern)) {
          const line = lines.findLast(([start]) => start <= match.index)?.[1]
          process.stdout.write(`${file}:${line}: ${name}: "${match[0].trim().slice(0, 90)}" (${instead})\n`)
          count++
        }
      }
    }
  }
  return count
}

const counts = {
  docs: find([...globSync("docs/*.md"), "README.md", "CONTRIBUTING.md"].toSorted(), linesOfPage),
  src: find(globSync("src/**/*.ts").toSorted(), linesOfSource),
  messages: find(globSync("src/**/*.ts").toSorted(), textsOfSource),
  examples: find(globSync("examples/**/*.ts").toSorted(), linesOfSource)
}
if (counts.docs + counts.src + counts.messages + counts.examples > 0) process.exitCode = 1
process.stdout.write(
  `${counts.docs} places in the documentation, ${counts.src} in comments of src, ${counts.messages} in its messages and ${counts.examples} in examples to rewrite\n`
)
