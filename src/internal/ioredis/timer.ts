/** Timers of the network: real time, even under a test's clock. */
import * as Effect from "effect/Effect"

/** Milliseconds beyond which Node's timers fire at once. */
export const longestTimer = 2 ** 31 - 1

export const later = (millis: number, run: () => void): NodeJS.Timeout =>
  setTimeout(run, Math.min(longestTimer, Math.ceil(millis)))

/** A pause in real time. */
export const rest = (millis: number): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const timer = later(millis, () => resume(Effect.void))
    return Effect.sync(() => clearTimeout(timer))
  })

/** A timer that fires this many milliseconds late was delayed by a blocked process. */
const held = 50

/**
 * Runs after `millis` milliseconds, not counting time in which the process was blocked, and only after the sockets were read.
 * Timers come first in a turn of the event loop, so a process that was blocked would otherwise give up on replies that have
 * already arrived. Returns a function that cancels it.
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
