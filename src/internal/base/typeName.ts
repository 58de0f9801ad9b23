/** What a value of the wrong type is, as messages show it: never the value, which may be a secret. */
export const typeName = (value: unknown): string => {
  if (value === null || value === undefined) return String(value)
  return typeof value === "object" ? "an object" : `a ${typeof value}`
}
