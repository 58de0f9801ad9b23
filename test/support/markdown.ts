/** The fenced blocks of one language, in the order of the text. */
export const blocks = (markdown: string, language: string): ReadonlyArray<string> =>
  [...markdown.matchAll(new RegExp(`^\`\`\`${language}\\b.*\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map((match) => match[1]!)
