/**
 * Searches a text of JSON without parsing it. Each search is one pass, and works even if `JSON.parse` rejects the text.
 */

/**
 * The position of the quote that ends the string whose first character is at `from`; the end of the text if there is
 * none.
 */
export const endOfString = (text: string, from: number): number => {
  for (let end = text.indexOf("\"", from); end !== -1; end = text.indexOf("\"", end + 1)) {
    let slashes = 0
    while (end - slashes > from && text.charCodeAt(end - slashes - 1) === 0x5c) slashes++
    if (slashes % 2 === 0) return end
  }
  return text.length
}

const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09

const afterSpace = (text: string, from: number): number => {
  let at = from
  while (isSpace(text.charCodeAt(at))) at++
  return at
}

/** The string that the outermost object has under a key, with its escapes as written. */
export const stringAt = (text: string, key: string): string | undefined => {
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x22) {
      const end = endOfString(text, i + 1)
      if (depth === 1 && end - i - 1 === key.length && text.startsWith(key, i + 1)) {
        const colon = afterSpace(text, end + 1)
        const from = afterSpace(text, colon + 1)
        if (text.charCodeAt(colon) === 0x3a && text.charCodeAt(from) === 0x22) {
          const to = endOfString(text, from + 1)
          return to === text.length ? undefined : text.slice(from + 1, to)
        }
      }
      i = end
    } else if (code === 0x7b || code === 0x5b) depth++
    else if (code === 0x7d || code === 0x5d) depth--
  }
  return undefined
}

/** Whether `NaN` or `Infinity` occurs outside of strings, as Python's `json.dumps` writes them by default. */
export const holdsNonFinite = (text: string): boolean => {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x22) {
      i = endOfString(text, i + 1)
    } else if (code === 0x4e) {
      if (text.startsWith("NaN", i)) return true
    } else if (code === 0x49 && text.startsWith("Infinity", i)) return true
  }
  return false
}
