/** The names that are most like one that does not exist. */

/** Letters to insert, remove or replace (Levenshtein). */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}

/** The number of names that are suggested. */
const most = 3

/** Names that differ in at most a third of their letters, or that contain each other; nearest first. */
export const nearest = (name: string, known: Iterable<string>): ReadonlyArray<string> => {
  const wanted = name.toLowerCase()
  return [...new Set(known)]
    .map((other) => {
      const lower = other.toLowerCase()
      const near = lower.includes(wanted) || wanted.includes(lower) ? 1 : distance(wanted, lower)
      return { other, near }
    })
    .filter(({ near, other }) => near <= Math.max(2, Math.ceil(Math.max(other.length, name.length) / 3)))
    .sort((a, b) => a.near - b.near || (a.other < b.other ? -1 : 1))
    .slice(0, most)
    .map(({ other }) => other)
}
