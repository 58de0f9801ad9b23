/**
 * The limits of one call, and how work is split into calls.
 *
 * Servers reject calls that are too large, and serve no other client while one runs.
 */

/** Words of one command, its name included. ElastiCache Serverless refuses more than 3,999. */
export const maxArguments = 3_500

/** Bytes of the arguments of one call, or of what it moves. One action that is larger goes alone. */
export const maxBytes = 4 * 1024 * 1024

/** Entries that one call of housekeeping looks at: a few milliseconds of the server. */
export const maxEntries = 400

/** Dead letters that one call looks at, moves or drops. */
export const maxLetters = 200

/** Entries of a block of a stream (`stream-node-max-entries`, by default 100), beyond which it is not trimmed. */
export const largestBlock = 10_000

/** Words that each call of a script has: `EVALSHA`, the hash, and the number of keys. */
export const scriptWords = 3

/** Texts up to this length are not counted. */
const shortText = 1_024

/**
 * Bytes of a text as UTF-8, or a little more. A short text counts as if each of its characters had three bytes: an exact count
 * would cost more than the smaller calls do.
 */
export const bytesOf = (text: string): number => text.length <= shortText ? text.length * 3 : Buffer.byteLength(text)

/** What one call holds so far. */
export class Load {
  words: number
  bytes = 0
  private readonly base: number
  /** `words` are those that each call has, whatever it holds. */
  constructor(words: number) {
    this.base = words
    this.words = words
  }
  /** Adds something to the call and returns true, or returns false when the call is full. The first always fits. */
  add(words: number, bytes: number): boolean {
    const isFirst = this.words === this.base
    if (!isFirst && (this.words + words > maxArguments || this.bytes + bytes > maxBytes)) return false
    this.words += words
    this.bytes += bytes
    return true
  }
}

/** Splits things into pages of one call each, by number and, with `sizeOf`, by size. */
export const pages = <A>(
  all: ReadonlyArray<A>,
  most: number,
  sizeOf?: (one: A) => number
): ReadonlyArray<ReadonlyArray<A>> => {
  if (all.length <= most && sizeOf === undefined) return all.length === 0 ? [] : [all]
  const split: Array<Array<A>> = []
  let page: Array<A> = []
  let size = 0
  for (const one of all) {
    const own = sizeOf?.(one) ?? 0
    if (page.length === 0 || page.length === most || size + own > maxBytes) {
      page = []
      split.push(page)
      size = 0
    }
    page.push(one)
    size += own
  }
  return split
}
