/**
 * Counts what is handled, holds the clock, and watches the memory.
 */
import type { Report, Work } from "./system.ts"

export interface Tally {
  /** A message was handled. */
  readonly mark: (sequence: number) => void
  /** Resolves when the warm-up is over. */
  readonly warmed: Promise<void>
  /** The clock starts anew with the next message: something was between the warm-up and the rest. */
  readonly begin: () => void
  /** Resolves when as many were handled as there are. */
  readonly all: Promise<void>
  /** Stops the clock. `left` looks for messages that are still pending, and is not measured. */
  readonly end: (left?: () => Promise<number>) => Promise<Report>
}

/** With `shared` others handle the rest: what was not seen here is not wrong. */
export const make = (work: Pick<Work, "total" | "warm">, shared = false): Tally => {
  const seen = new Uint8Array(work.total)
  const { promise, resolve } = Promise.withResolvers<void>()
  const warmed = Promise.withResolvers<void>()
  const idleBytes = process.memoryUsage.rss()
  let peakBytes = idleBytes
  const watch = setInterval(() => {
    peakBytes = Math.max(peakBytes, process.memoryUsage.rss())
  }, 100)
  let handled = 0
  let started = performance.now()
  let beginning = false
  return {
    mark: (sequence) => {
      if (beginning) {
        beginning = false
        started = performance.now()
      }
      seen[sequence] = (seen[sequence] ?? 0) + 1
      handled++
      if (handled === work.warm) {
        started = performance.now()
        warmed.resolve()
      }
      if (handled === work.total) resolve()
    },
    warmed: warmed.promise,
    begin: () => {
      beginning = true
    },
    all: promise,
    end: async (left) => {
      const seconds = (performance.now() - started) / 1000
      clearInterval(watch)
      return {
        seconds,
        wrong: seen.reduce((sum, times) => sum + (times === 1 || (shared && times === 0) ? 0 : 1), 0),
        left: left === undefined ? 0 : await left(),
        handled,
        idleBytes,
        peakBytes
      }
    }
  }
}

export interface Requests {
  /** The number of the next request, `undefined` when there are no more. */
  readonly next: () => number | undefined
  readonly answered: (sequence: number, before: number, right: boolean) => void
  readonly end: () => Report
}

/** Numbers requests and takes the time of each. */
export const requests = (work: Pick<Work, "total" | "warm">): Requests => {
  const times = new Float64Array(work.total)
  let next = 0
  let wrong = 0
  let done = 0
  let started = performance.now()
  return {
    next: () => next < work.total ? next++ : undefined,
    answered: (sequence, before, right) => {
      times[sequence] = performance.now() - before
      if (!right) wrong++
      if (++done === work.warm) started = performance.now()
    },
    end: () => {
      const seconds = (performance.now() - started) / 1000
      const sorted = times.slice(work.warm).sort()
      return {
        seconds,
        wrong,
        left: 0,
        handled: done,
        p50: (sorted[sorted.length >> 1] ?? 0) * 1000,
        connections: process.getActiveResourcesInfo().filter((kind) => kind === "TCPSocketWrap").length
      }
    }
  }
}

/** `inFlight` callers, each of which sends its next request when the last is answered. */
export const callers = async (
  work: Work,
  one: (sequence: number, caller: number) => Promise<boolean>
): Promise<Report> => {
  const all = requests(work)
  await Promise.all(Array.from({ length: work.inFlight }, async (_, caller) => {
    for (let sequence = all.next(); sequence !== undefined; sequence = all.next()) {
      const before = performance.now()
      all.answered(sequence, before, await one(sequence, caller))
    }
  }))
  return all.end()
}
