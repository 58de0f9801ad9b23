/**
 * Numbers as Lua 5.1 reads and prints them.
 */

const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const hexadecimal = /^([+-]?)0x([\da-f]*)(?:\.([\da-f]*))?(?:p([+-]?\d+))?$/i
const special = /^([+-]?)(?:(inf(?:inity)?)|nan(?:\([^)]*\))?)$/i

/** What `tonumber` makes of a text: C's `strtod`. `undefined` for anything that is not a number. */
export const parse = (text: string): number | undefined => {
  const trimmed = text.replace(/^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g, "")
  if (decimal.test(trimmed)) return Number(trimmed)
  const hex = hexadecimal.exec(trimmed)
  if (hex !== null) return ofHexadecimal(hex)
  const [found, sign, infinity] = special.exec(trimmed) ?? []
  if (found === undefined) return undefined
  return infinity === undefined ? Number.NaN : sign === "-" ? -Infinity : Infinity
}

const ofHexadecimal = ([, sign, whole = "", places = "", power = "0"]: RegExpExecArray): number | undefined => {
  if (whole === "" && places === "") return undefined
  const digits = Number(`0x${whole}${places}`)
  return (sign === "-" ? -digits : digits) * 2 ** (Number(power) - 4 * places.length)
}

/** JavaScript rounds a number halfway between two others up, C to the even one of them. */
const toEven = (rounded: string, longer: string, exact: () => string): string => {
  const cut = /^(-?\d+\.?\d*)5(e.*)?$/.exec(longer)
  if (cut === null || !/^-?[\d.]*50*(?:e.*)?$/.test(exact())) return rounded
  const [, before = "", power = ""] = cut
  const last = before.replace(/\.$/, "").at(-1) ?? "0"
  return Number(last) % 2 === 0 ? before.replace(/\.$/, "") + power : rounded
}

const mostPlaces = 100

const toFixed = (value: number, places: number): string =>
  places >= mostPlaces
    ? value.toFixed(mostPlaces)
    : toEven(value.toFixed(places), value.toFixed(places + 1), () => value.toFixed(mostPlaces))

const toExponential = (value: number, places: number): string =>
  places >= mostPlaces
    ? value.toExponential(mostPlaces)
    : toEven(value.toExponential(places), value.toExponential(places + 1), () => value.toExponential(mostPlaces))

const withExponent = (text: string): string => text.replace(/e([+-])(\d)$/, "e$10$2")

/** C's `%.<precision>g`. */
export const general = (value: number, precision: number, keepZeros = false): string => {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "-nan" : value > 0 ? "inf" : "-inf"
  const digits = precision === 0 ? 1 : precision
  const exponent = value === 0 ? 0 : Number(toExponential(value, digits - 1).split("e")[1])
  const sign = Object.is(value, -0) ? "-" : ""
  if (exponent < -4 || exponent >= digits) {
    const [mantissa = "", power = ""] = toExponential(value, digits - 1).split("e")
    const short = keepZeros || !mantissa.includes(".") ? mantissa : mantissa.replace(/\.?0+$/, "")
    return withExponent(`${sign}${short}e${power}`)
  }
  const fixed = toFixed(value, Math.max(0, digits - 1 - exponent))
  return sign + (keepZeros || !fixed.includes(".") ? fixed : fixed.replace(/\.?0+$/, ""))
}

/** C's `%.<precision>e`. */
export const exponential = (value: number, precision: number): string =>
  Number.isFinite(value)
    ? withExponent(`${Object.is(value, -0) ? "-" : ""}${toExponential(value, precision)}`)
    : general(value, 1)

/** C's `%.<precision>f`. JavaScript's own takes no more than 100 places and turns to exponents from 1e21. */
export const fixed = (value: number, precision: number): string => {
  if (!Number.isFinite(value)) return general(value, 1)
  const sign = Object.is(value, -0) ? "-" : ""
  if (Math.abs(value) < 1e21) return sign + toFixed(value, precision)
  return `${BigInt(value)}${precision > 0 ? `.${"0".repeat(precision)}` : ""}`
}

/** A number as `tostring` and `..` print it: `%.14g`. */
export const print = (value: number): string =>
  Number.isInteger(value) && Math.abs(value) < 1e14 && !Object.is(value, -0) ? String(value) : general(value, 14)
