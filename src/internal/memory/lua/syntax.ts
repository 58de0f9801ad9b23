/**
 * What the lexer of Lua 5.1 makes of a text, where that of 5.3 takes more: its operators, `goto` and labels are refused,
 * and its escapes are letters.
 */

/** Comments and strings are found so that what they hold is left alone. */
const token = new RegExp(
  [
    String.raw`--\[(?<comment>=*)\[[^]*?\]\k<comment>\]`,
    "--[^\n]*",
    String.raw`\[(?<long>=*)\[[^]*?\]\k<long>\]`,
    String.raw`"(?:\\[^]|[^"\\])*"|'(?:\\[^]|[^'\\])*'`,
    String.raw`goto\s+(?<label>[A-Za-z_]\w*)|[A-Za-z_]\w*`,
    String.raw`~=|[<>=]=|(?<operator>\/\/|<<|>>|::|[&|~])`
  ].join("|"),
  "g"
)

/** Escapes that 5.3 has added: in 5.1 a backslash before a letter without a meaning is dropped. */
const newer = /\\([^])/g

const withoutNewer = (text: string): string =>
  text.replaceAll(newer, (escape, letter: string) => "xzu".includes(letter) ? letter : escape)

const lineAt = (text: string, index: number): number => text.slice(0, index).split("\n").length

/** How 5.1 words it, for the most frequent way to get there. */
const refusalOf = (operator: string): string =>
  "/<>:".includes(operator[0] ?? "") ? `unexpected symbol near '${operator[0]}'` : `'<eof>' expected near '${operator}'`

interface Outcome {
  /** The text for the lexer of 5.3. */
  readonly text: string
  /** Why 5.1 does not compile it. */
  readonly refusal: string | undefined
}

export const fromLua51 = (text: string): Outcome => {
  let refusal: string | undefined
  const rewritten = text.replaceAll(token, (found: string, ...rest: ReadonlyArray<unknown>) => {
    // SAFETY: the last two arguments of a replacer are the whole text and the named groups, before them is the offset.
    const [index, , { label, operator }] = rest.slice(-3) as [number, string, Partial<Record<string, string>>]
    const words = operator !== undefined
      ? refusalOf(operator)
      : label !== undefined
      ? `'=' expected near '${label}'`
      : undefined
    if (words !== undefined) refusal ??= `user_script:${lineAt(text, index)}: ${words}`
    return found.startsWith("\"") || found.startsWith("'") ? withoutNewer(found) : found
  })
  return { text: rewritten, refusal }
}
