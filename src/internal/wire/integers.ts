/**
 * Integers that a double cannot hold. `JSON.parse` rounds them and `JSON.stringify` rejects a `bigint`. This module
 * keeps them as `bigint` in memory and as plain integers in the text, digit for digit.
 *
 * A number beyond 2^53 is written with an exponent, as Python writes a float, so that it is read as a number again.
 */
import { endOfString } from "./scan.ts"

/** The maximum number of digits of an integer, as in Python. Millions of digits would take a second. */
export const maxDigits = 4_300

/** `Number.MAX_SAFE_INTEGER`. Texts with the same number of digits have the order of their numbers. */
const largest = "9007199254740991"

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39

/** Whether the digits in a part of a text are an integer beyond `largest`. */
const isUnsafe = (text: string, from: number, to: number): boolean =>
  to - from > largest.length || (to - from === largest.length && text.slice(from, to) > largest)

/** Whether a number may end before this character; `NaN` is the end of the text. */
const closes = (code: number): boolean =>
  code === 0x2c || code === 0x7d || code === 0x5d || code <= 0x20 || Number.isNaN(code)

/** Whether a value is a `new Number` of any realm. JSON writes its number. */
export const isBoxedNumber = (value: unknown): boolean => Object.prototype.toString.call(value) === "[object Number]"

const isBeyond = (value: number): boolean => value > Number.MAX_SAFE_INTEGER || value < -Number.MAX_SAFE_INTEGER

/**
 * Whether a value holds a `bigint`, or a number that may have been an integer beyond 2^53. It inspects values and not
 * the text, which takes some tens of nanoseconds for a common message, while most texts contain long runs of digits in
 * ids.
 *
 * Recursion is bounded by the depth that the text was checked for, or that `JSON.stringify` survived. With `parsed`,
 * the value comes from `JSON.parse`. In any other value, an object with a `toJSON` counts, because it may be infinite,
 * and so does a boxed number.
 */
export const holdsUnsafe = (value: unknown, parsed: boolean): boolean => {
  if (typeof value === "number") return isBeyond(value)
  if (typeof value !== "object" || value === null) return typeof value === "bigint"
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const item: unknown = value[i]
      // Vectors have thousands of numbers, and a call for each would take twice as long.
      if (typeof item === "number" ? isBeyond(item) : holdsUnsafe(item, parsed)) return true
    }
    return false
  }
  if (!parsed && "toJSON" in value) return true
  let isEmpty = true
  for (const key in value) {
    isEmpty = false
    // SAFETY: `key` was just found in `value`, and the type of its value stays unknown.
    const item = (value as { readonly [key: string]: unknown })[key]
    if (
      typeof item === "object"
        ? item !== null && holdsUnsafe(item, parsed)
        : typeof item === "number"
        ? isBeyond(item)
        : typeof item === "bigint"
    ) return true
  }
  return isEmpty && !parsed && isBoxedNumber(value)
}

/** An object or array that is open at a position of a text, and the value that was parsed from it. */
class Open {
  readonly node: unknown
  readonly isArray: boolean
  index = 0
  /** The position of the key, in an object. */
  keyFrom = 0
  keyTo = 0
  awaitsKey = true
  constructor(node: unknown, isArray: boolean) {
    this.node = node
    this.isArray = isArray
  }

  /** The key or index of the next value. */
  place(text: string): string | number {
    if (this.isArray) return this.index
    const key = text.slice(this.keyFrom, this.keyTo)
    // SAFETY: the text was parsed before, so this is a JSON string.
    return key.includes("\\") ? JSON.parse(`"${key}"`) as string : key
  }

  get(text: string): unknown {
    const place = this.place(text)
    // SAFETY: an object that has this key itself.
    return typeof this.node === "object" && this.node !== null && Object.hasOwn(this.node, place)
      ? (this.node as Record<string | number, unknown>)[place]
      : undefined
  }

  /** If a key occurs twice, the last one counts, and its value may be another one. */
  restore(text: string, digits: string): void {
    if (this.get(text) !== Number(digits)) return // SAFETY: `get` found the key.
    ;(this.node as Record<string | number, unknown>)[this.place(text)] = BigInt(digits)
  }
}

/**
 * Puts the integers of a text into the value that `JSON.parse` made of it, in one pass over the text: reviving the
 * value with its source takes 70 times as long as parsing it. Returns `false` if an integer has too many digits.
 */
export const restore = (text: string, value: unknown): boolean => {
  const stack: Array<Open> = []
  let open = new Open([value], true)
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x22) {
      const end = endOfString(text, i + 1)
      if (open.awaitsKey) {
        open.keyFrom = i + 1
        open.keyTo = end
        open.awaitsKey = false
      }
      i = end
    } else if (code === 0x7b || code === 0x5b) {
      stack.push(open)
      open = new Open(open.get(text), code === 0x5b)
    } else if (code === 0x7d || code === 0x5d) {
      open = stack.pop() ?? open
    } else if (code === 0x2c) {
      open.index++
      open.awaitsKey = true
    } else if (code === 0x2d || isDigit(code)) {
      const from = code === 0x2d ? i + 1 : i
      let to = from
      while (isDigit(text.charCodeAt(to))) to++
      if (closes(text.charCodeAt(to))) {
        if (to - from > maxDigits) return false
        if (isUnsafe(text, from, to)) open.restore(text, text.slice(i, to))
      } else {
        // The rest of a fraction and an exponent, up to the next character that ends a number.
        while (!closes(text.charCodeAt(to))) to++
      }
      i = to - 1
    }
  }
  return true
}

/**
 * Like `JSON.parse`, with exact integers, for a text that {@link stringify} wrote: none of its integers has too many
 * digits.
 */
export const parse = (text: string): unknown => {
  // An integer can only be restored inside an array or object.
  const holder = `[${text}]`
  // SAFETY: a list of one value.
  const list = JSON.parse(holder) as [unknown]
  if (holdsUnsafe(list, true)) restore(holder, list)
  return list[0]
}

// SAFETY: every Node that this library runs on has it (22 and newer), but TypeScript's library does not list it yet.
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => unknown }

const integer = (value: bigint): unknown => {
  const digits = String(value)
  if (digits.length - (value < 0n ? 1 : 0) > maxDigits) {
    throw new RangeError(`An integer has more than ${maxDigits} digits`)
  }
  return rawJSON(digits)
}

/**
 * The replacer for `JSON.stringify` that writes exact integers. `own` is the value before `toJSON`. If the program
 * defines `BigInt.prototype.toJSON`, its result is ignored.
 */
export const exact = (own: unknown, written: unknown): unknown => {
  if (typeof own === "bigint") return integer(own)
  if (typeof written === "bigint") return integer(written)
  const value = typeof written === "object" && isBoxedNumber(written) ? Number(written) : written
  return typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)
    ? rawJSON(value.toExponential())
    : value
}

/** Like `JSON.stringify`, with each `bigint` as an integer. Throws if a value refers to itself. */
export const stringify = (value: unknown): string =>
  JSON.stringify(value, function(this: { readonly [key: string]: unknown }, key, written: unknown) {
    return exact(this[key], written)
  })

/** Like {@link stringify}, but as fast as `JSON.stringify` for a value that needs no exact integers. */
export const write = (value: unknown): string => {
  const text = stringifyFast(value)
  // Only a value that was written is known to be finite.
  return text === undefined || holdsUnsafe(value, false) ? stringify(value) : text
}

/** Like {@link stringify}, as fast as `JSON.stringify`; `undefined` if `JSON.stringify` rejects the value. */
export const stringifyFast = (value: unknown): string | undefined => {
  // The program may have made `JSON.stringify` write a bigint as a string.
  if ("toJSON" in BigInt.prototype) return undefined
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}
