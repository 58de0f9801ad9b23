/**
 * Numbers as Lua 5.1 reads and prints them.
 */

const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const hexadecimal = /^([+-]?)(0[xX][\da-fA-F]+)$/
const special = /^([+-]?)(?:(inf(?:inity)?)|nan(?:\([^)]*\))?)$/i

/** What `tonumber` makes of a text: C's `strtod`. `undefined` for anything that is not a number. */
export const parse = (text: string): number | undefined => {
  const trimmed = text.replace(/^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g, "")
  if (decimal.test(trimmed)) return Number(trimmed)
  const hex = hexadecimal.exec(trimmed)
  if (hex !== null) return Number(hex[2]) * (hex[1] === "-" ? -1 : 1)
  const [found, sign, infinity] = special.exec(trimmed) ?? []
  if (found === undefined) return undefined
  return infinity === undefined ? Number.NaN : sign === "-" ? -Infinity : Infinity
}

const withExponent = (text: string): string => text.replace(/e([+-])(\d)$/, "e$10$2")

/** C's `%.<precision>g`. */
export const general = (value: number, precision: number, keepZeros = false): string => {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "-nan" : value > 0 ? "inf" : "-inf"
  const digits = precision === 0 ? 1 : precision
  const exponent = value === 0 ? 0 : Number(value.toExponential(digits - 1).split("e")[1])
  const sign = Object.is(value, -0) ? "-" : ""
  if (exponent < -4 || exponent >= digits) {
    const [mantissa = "", power = ""] = value.toExponential(digits - 1).split("e")
    const short = keepZeros || !mantissa.includes(".") ? mantissa : mantissa.replace(/\.?0+$/, "")
    return withExponent(`${sign}${short}e${power}`)
  }
  const fixed = value.toFixed(Math.max(0, digits - 1 - exponent))
  return sign + (keepZeros || !fixed.includes(".") ? fixed : fixed.replace(/\.?0+$/, ""))
}

/** C's `%.<precision>e`. */
export const exponential = (value: number, precision: number): string =>
  Number.isFinite(value)
    ? withExponent(`${Object.is(value, -0) ? "-" : ""}${value.toExponential(precision)}`)
    : general(value, 1)

/** C's `%.<precision>f`. JavaScript's own takes no more than 100 places and turns to exponents from 1e21. */
export const fixed = (value: number, precision: number): string => {
  if (!Number.isFinite(value)) return general(value, 1)
  const sign = Object.is(value, -0) ? "-" : ""
  if (Math.abs(value) < 1e21) return sign + value.toFixed(Math.min(100, precision))
  return `${BigInt(value)}${precision > 0 ? `.${"0".repeat(precision)}` : ""}`
}

/** A number as `tostring` and `..` print it: `%.14g`. */
export const print = (value: number): string =>
  Number.isInteger(value) && Math.abs(value) < 1e14 && !Object.is(value, -0) ? String(value) : general(value, 14)
