/** Numbers and times as people read them. Times are in UTC, as in logs and in Redis. */
export const count = (value: number): string => value.toLocaleString("en")

/** At most three digits behind a small number: `0.25`, `12`, `3.4k`. */
export const short = (value: number): string =>
  value < 10_000
    ? value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 2 : 0 })
    : value < 1_000_000
    ? `${(value / 1_000).toFixed(1)}k`
    : `${(value / 1_000_000).toFixed(1)}M`

/** `1 letter`, `2 letters`. */
export const plural = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : many}`

export const times = (value: number): string => value === 1 ? "once" : value === 2 ? "twice" : `${count(value)} times`

const units = [["d", 86_400_000], ["h", 3_600_000], ["m", 60_000], ["s", 1_000]] as const

/** `3m 20s`, with the two largest units. */
export const duration = (millis: number): string => {
  if (millis > 0 && millis < 1) return "<1 ms"
  if (millis < 1_000) return `${Math.round(millis)} ms`
  if (millis < 10_000) return `${(millis / 1_000).toFixed(1)} s`
  const parts: Array<string> = []
  let rest = millis
  for (const [name, size] of units) {
    const whole = Math.floor(rest / size)
    rest -= whole * size
    if (whole > 0 && parts.length < 2) parts.push(`${whole}${name}`)
    else if (parts.length > 0) break
  }
  return parts.join(" ")
}

/** `3m ago` or `in 3m`, as seen from `now`. */
export const relative = (time: string, now: number): string => {
  const difference = Date.parse(time) - now
  if (Math.abs(difference) < 1_000) return "now"
  return difference < 0 ? `${duration(-difference)} ago` : `in ${duration(difference)}`
}

/** The beginning of a UUID, which is enough to tell actions of a page apart. */
export const brief = (id: string): string => /^[0-9a-f]{8}-[0-9a-f-]{27}$/i.test(id) ? id.slice(0, 8) : id

const isoOf = (time: number | string): string => new Date(time).toISOString()

/** `14:03`. */
export const minute = (time: number | string): string => isoOf(time).slice(11, 16)

/** `14:03:20 UTC`. */
export const clock = (time: string): string => `${isoOf(time).slice(11, 19)} UTC`

/** `2026-12-01 14:03:20 UTC`. */
export const full = (time: string): string => `${isoOf(time).slice(0, 10)} ${clock(time)}`

/**
 * JSON on several lines. It works on the text: numbers are not parsed, so that large ones stay exact, and text that is
 * not JSON only gets line breaks.
 */
export const pretty = (json: string): string => {
  let depth = 0
  return json.replace(/"(?:[^"\\]|\\.)*"|[[{]\s*[\]}]|[[\]{},:]/g, (part) => {
    const line = (by: number) => {
      depth = Math.max(0, depth + by)
      return `\n${"  ".repeat(Math.min(depth, 20))}`
    }
    if (part === "{" || part === "[") return part + line(1)
    if (part === "}" || part === "]") return line(-1) + part
    return part === "," ? part + line(0) : part === ":" ? ": " : part
  })
}

export const bytes = (size: number): string =>
  size < 1_024
    ? `${size} B`
    : size < 1_048_576
    ? `${(size / 1_024).toFixed(1)} KiB`
    : `${(size / 1_048_576).toFixed(1)} MiB`

export const reasons: { readonly [reason: string]: string } = {
  malformed: "Not an action",
  poison: "Killed its workers",
  unknown: "No handler",
  invalid: "Payload does not fit",
  unencodable: "Result does not fit",
  rejected: "Rejected",
  exhausted: "Attempts used up",
  undeliverable: "Answer not delivered",
  other: "Other"
}
