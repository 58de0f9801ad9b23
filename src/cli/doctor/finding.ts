/** What a check found, and what to do about it. */
export interface Finding {
  readonly check: string
  /** `skipped`: the user may not ask. `warning`: works, but may surprise. `problem`: something does not work. */
  readonly level: "ok" | "skipped" | "warning" | "problem"
  readonly found: string
  /** What to do; `undefined` if there is nothing to do. */
  readonly advice: string | undefined
}

export const ok = (check: string, found: string): Finding => ({ check, level: "ok", found, advice: undefined })

export const finding = (check: string, level: Finding["level"], found: string, advice: string): Finding => ({
  check,
  level,
  found,
  advice
})
