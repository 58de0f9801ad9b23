/**
 * U+FFFD, which stands in a text for bytes that are no UTF-8, or for itself.
 */
const replacement = "\uFFFD"

/**
 * How often it stands in a text. Nothing is built from the text: of some hundred megabytes that hold nothing else, an array of
 * parts would be more than V8 can make, and the process would end.
 */
export const replacementsIn = (text: string): number => {
  let count = 0
  for (let at = text.indexOf(replacement); at !== -1; at = text.indexOf(replacement, at + 1)) count++
  return count
}

export const hasReplacements = (text: string): boolean => text.includes(replacement)
