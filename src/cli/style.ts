/** Colors of a terminal, or none. Colors repeat what the text says: nothing is told by color alone. */
export interface Style {
  readonly head: (text: string) => string
  readonly good: (text: string) => string
  readonly caution: (text: string) => string
  readonly bad: (text: string) => string
  readonly dim: (text: string) => string
}

const sgr = (code: number) => (text: string): string => text === "" ? text : `\u001b[${code}m${text}\u001b[0m`

const same = (text: string): string => text

export const colors: Style = { head: sgr(1), good: sgr(32), caution: sgr(33), bad: sgr(31), dim: sgr(2) }

export const none: Style = { head: same, good: same, caution: same, bad: same, dim: same }
