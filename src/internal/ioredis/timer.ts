/**
 * Timers of the network: real time, also under a test's clock.
 */

/** Milliseconds beyond which Node's timers fire at once. */
export const longestTimer = 2 ** 31 - 1

export const later = (millis: number, run: () => void): NodeJS.Timeout =>
  setTimeout(run, Math.min(longestTimer, Math.ceil(millis)))

/** A timer this late was held up by a process that did nothing else either. */
const held = 50

/**
 * Runs after so many milliseconds in which the process was not blocked, and after the sockets were read: timers come first in
 * a turn of the event loop, so a process that was blocked would otherwise give up what has arrived already. Returns what
 * cancels it.
 */
export const patiently = (millis: number, run: () => void): () => void => {
  let cancelled = false
  let timer: NodeJS.Timeout
  const start = (wait: number): void => {
    const due = performance.now() + wait
    timer = later(wait, () => {
      const late = performance.now() - due
      if (late > held) return start(Math.min(late, millis))
      setImmediate(() => {
        if (!cancelled) run()
      })
    })
  }
  start(millis)
  return () => {
    cancelled = true
    clearTimeout(timer)
  }
}
