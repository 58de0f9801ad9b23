/**
 * Times for people who read a log: rounded, in one unit.
 */

/** Milliseconds as a text, such as `250 ms`, `4 s` or `15 min`. */
export const timeText = (millis: number): string => {
  if (!(millis >= 1_000)) return `${Math.ceil(millis)} ms`
  if (millis < 120_000) return `${Math.round(millis / 1_000)} s`
  return millis < 7_200_000 ? `${Math.round(millis / 60_000)} min` : `${Math.round(millis / 3_600_000)} h`
}
