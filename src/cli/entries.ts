/** Fields of entries as Redis replies them. */
export const textPairs = (fields: ReadonlyArray<unknown>): ReadonlyMap<string, string> => {
  const pairs = new Map<string, string>()
  for (let i = 0; i + 1 < fields.length; i += 2) pairs.set(String(fields[i]), String(fields[i + 1]))
  return pairs
}
