/**
 * Reading arguments and writing numbers the way the server does.
 */
import { ReplyError } from "./replyError.ts"

export const syntaxError = (): ReplyError => new ReplyError("ERR syntax error")

export const wrongType = (): ReplyError =>
  new ReplyError("WRONGTYPE Operation against a key holding the wrong kind of value")

export const wrongArity = (command: string): ReplyError =>
  new ReplyError(`ERR wrong number of arguments for '${command.toLowerCase()}' command`)

/** The error for arguments that fit no subcommand. */
export const subcommandError = (argv: ReadonlyArray<string>): ReplyError =>
  new ReplyError(
    `ERR unknown subcommand or wrong number of arguments for '${argv[1]}'. Try ${argv[0]?.toUpperCase()} HELP.`
  )

export const noSuchKey = (): ReplyError => new ReplyError("ERR no such key")

const notAnInteger = "value is not an integer or out of range"

const INT64_MAX = 9223372036854775807n
const INT64_MIN = -9223372036854775808n

const integerPattern = /^(?:0|-?[1-9]\d{0,18})$/

/** A signed 64-bit integer in its canonical form, `undefined` for anything else. */
export const tryBigInt = (text: string): bigint | undefined => {
  if (!integerPattern.test(text)) return undefined
  const value = BigInt(text)
  return value > INT64_MAX || value < INT64_MIN ? undefined : value
}

/** An integer argument. Exact up to 2^53, as close as a double gets beyond. */
export const integer = (text: string, message: string = notAnInteger): number => {
  if (text.length < 16 && integerPattern.test(text)) return Number(text)
  const value = tryBigInt(text)
  if (value === undefined) throw new ReplyError(`ERR ${message}`)
  return Number(value)
}

/** An exact 64-bit integer argument, for commands that do arithmetic on it. */
export const bigInteger = (text: string, message: string = notAnInteger): bigint => {
  const value = tryBigInt(text)
  if (value === undefined) throw new ReplyError(`ERR ${message}`)
  return value
}

export const overflows = (value: bigint): boolean => value > INT64_MAX || value < INT64_MIN

const floatPattern = /^[+-]?(?:\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?|0x[\da-f]+)$/i
const infinityPattern = /^[+-]?inf(?:inity)?$/i

/** A score: decimal, exponent, hexadecimal or an infinity. `undefined` for anything else. */
export const tryFloat = (text: string): number | undefined => {
  if (infinityPattern.test(text)) return text.startsWith("-") ? -Infinity : Infinity
  if (!floatPattern.test(text)) return undefined
  // Number() knows no sign before a hexadecimal number
  if (/x/i.test(text)) return text.startsWith("-") ? -Number(text.slice(1)) : Number(text.replace("+", ""))
  const value = Number(text)
  return Number.isFinite(value) ? value : undefined
}

export const float = (text: string, message = "value is not a valid float"): number => {
  const value = tryFloat(text)
  if (value === undefined) throw new ReplyError(`ERR ${message}`)
  return value
}

/** A double as C's `%.17g` prints it, which is how RESP2 carries scores. */
export const formatDouble = (value: number): string => {
  if (value === Infinity) return "inf"
  if (value === -Infinity) return "-inf"
  if (Object.is(value, -0)) return "-0"
  // beyond 2^53 JavaScript rounds what it prints
  if (Number.isInteger(value) && Math.abs(value) < 1e17) {
    return Number.isSafeInteger(value)
      ? String(value)
      : String(BigInt(value))
  }
  const [mantissa = "", exponentText = "0"] = value.toExponential(16).split("e")
  const exponent = Number(exponentText)
  if (exponent < -4 || exponent >= 17) {
    const digits = mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa
    const size = Math.abs(exponent)
    return `${digits}e${exponent < 0 ? "-" : "+"}${size < 10 ? "0" : ""}${size}`
  }
  const fixed = expand(mantissa, exponent)
  return fixed.includes(".") ? fixed.replace(/\.?0+$/, "") : fixed
}

const expand = (mantissa: string, exponent: number): string => {
  const negative = mantissa.startsWith("-")
  const digits = mantissa.replace("-", "").replace(".", "")
  const text = exponent < 0
    ? `0.${"0".repeat(-exponent - 1)}${digits}`
    : `${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`
  return negative ? `-${text}` : text
}

/** A time-out in seconds (fractions allowed) or milliseconds, as milliseconds; 0 means for ever. */
export const timeout = (text: string, unit: "seconds" | "milliseconds"): number => {
  const value = unit === "milliseconds"
    ? integer(text, "timeout is not an integer or out of range")
    : Math.ceil(float(text, "timeout is not a float or out of range") * 1000)
  if (!Number.isFinite(value)) throw new ReplyError("ERR timeout is not a float or out of range")
  if (value < 0) throw new ReplyError("ERR timeout is negative")
  return value
}

export const compareBytes = (a: string, b: string): number => a < b ? -1 : a > b ? 1 : 0

/** A glob of KEYS, SCAN and CONFIG GET (`*`, `?`, `[a-c]`, `[^a]`, `\`) as a regular expression. */
export const globRegExp = (pattern: string): RegExp => {
  let source = ""
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i] ?? ""
    if (c === "*") source += "[\\s\\S]*"
    else if (c === "?") source += "[\\s\\S]"
    else if (c === "\\" && i + 1 < pattern.length) source += escape(pattern[++i] ?? "")
    else if (c === "[") {
      const end = classEnd(pattern, i + 1)
      source += characterClass(pattern.slice(i + 1, end))
      i = end
    } else source += escape(c)
  }
  return new RegExp(`^${source}$`)
}

const classEnd = (pattern: string, from: number): number => {
  let i = from
  while (i < pattern.length && pattern[i] !== "]") i += pattern[i] === "\\" ? 2 : 1
  return Math.min(i, pattern.length)
}

const characterClass = (body: string): string => {
  const negated = body.startsWith("^")
  let members = ""
  for (let i = negated ? 1 : 0; i < body.length; i++) {
    const c = body[i] ?? ""
    if (c === "\\" && i + 1 < body.length) members += escape(body[++i] ?? "")
    else if (body[i + 1] === "-" && i + 2 < body.length) {
      const [low = "", high = ""] = [c, body[i + 2] ?? ""].sort(compareBytes)
      members += `${escape(low)}-${escape(high)}`
      i += 2
    } else members += escape(c)
  }
  if (members === "") return negated ? "[\\s\\S]" : "(?!)"
  return `[${negated ? "^" : ""}${members}]`
}

const escape = (c: string): string => c.replace(/[\\^$.*+?()[\]{}|/-]/, "\\$&")

/** Named things in the order in which the server lists them. */
export const sortedByName = <A extends { readonly name: string }>(items: Iterable<A>): Array<A> =>
  [...items].sort((a, b) => compareBytes(a.name, b.name))
