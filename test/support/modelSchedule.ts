/**
 * Random schedules for the world of `modelWorld.ts`: what is sent, what the handlers do, and what goes wrong meanwhile.
 *
 * A schedule is data and comes from its seed alone, so that a failing one can be printed, cut short and run again.
 */
import { generator } from "../../src/internal/testing/generator.ts"
import type * as RedisFaults from "../../src/testing/RedisFaults.ts"

/** How one attempt of a handler ends, after so many milliseconds. A stubborn one cannot be interrupted. */
export interface Ending {
  readonly as: "success" | "refused" | "later" | "defect" | "never"
  readonly after: number
  readonly stubborn: boolean
}

export type Step =
  | {
    readonly _tag: "Send"
    readonly key: string
    readonly how: "fire" | "ask" | "request" | "callback" | "callbackToStream"
    /** How often the sender repeats a call that failed. */
    readonly repeats: number
    /** One for each attempt; those beyond succeed. */
    readonly plan: ReadonlyArray<Ending>
    /** Milliseconds that a request waits. */
    readonly timeout: number
  }
  | { readonly _tag: "Start"; readonly consumers: number; readonly skew: number }
  | { readonly _tag: "Crash"; readonly which: number }
  | { readonly _tag: "Stop"; readonly which: number }
  | { readonly _tag: "Cut"; readonly which: number; readonly millis: number }
  | { readonly _tag: "Jump"; readonly which: number; readonly skew: number }
  /** A policy of `undefined` ends what went wrong. Of the senders where `which` is `"senders"`. */
  | {
    readonly _tag: "Faults"
    readonly which: number | "senders"
    readonly policy: RedisFaults.Policy | undefined
  }
  /** The server restarts empty, or only its group is destroyed. */
  | { readonly _tag: "Forget"; readonly what: "everything" | "group" | "scripts" }
  | { readonly _tag: "Pass"; readonly millis: number }

export interface Schedule {
  readonly seed: number
  readonly steps: ReadonlyArray<Step>
}

const workerPolicies: ReadonlyArray<RedisFaults.Policy> = [
  { dropReply: 0.1, maxDelay: 500 },
  { fail: 0.1, dropReply: 0.05 },
  { delayReply: 0.2, delayCommand: 0.1, maxDelay: 4_000 },
  { repeat: 0.1, forgetScripts: 0.1 },
  {
    fail: 0.05,
    dropReply: 0.05,
    delayCommand: 0.05,
    delayReply: 0.05,
    repeat: 0.03,
    forgetScripts: 0.02,
    maxDelay: 1_500
  },
  { dropReply: 0.4 }
]

const senderPolicies: ReadonlyArray<RedisFaults.Policy> = [
  { dropReply: 0.2 },
  { fail: 0.2 },
  { delayCommand: 0.2, delayReply: 0.2, maxDelay: 2_000 }
]

/** `forgetful`: the server forgets data now and then. */
export const scheduleOf = (seed: number, length: number, forgetful: boolean): Schedule => {
  const random = generator(seed)
  const upTo = (max: number) => Math.floor(random() * max)
  const oneOf = <A>(values: ReadonlyArray<A>): A => values[upTo(values.length)]!
  const chance = (probability: number) => random() < probability
  const millis = () => oneOf([0, 0, 1, 20, 300, 2_000])

  const ending = (): Ending => ({
    as: oneOf(["success", "success", "later", "later", "defect", "refused", "never"]),
    after: oneOf([0, 0, 5, 200, 1_000, 4_000]),
    stubborn: chance(0.15)
  })

  const skew = () => chance(0.7) ? 0 : oneOf([-3_600_000, 3_600_000, -1_500, 1_500])

  let sent = 0
  const send = (): Step => ({
    _tag: "Send",
    key: `k${sent++}`,
    how: oneOf(["fire", "ask", "ask", "request", "request", "callback", "callbackToStream"]),
    repeats: upTo(3),
    plan: Array.from({ length: upTo(5) }, ending),
    timeout: oneOf([500, 3_000, 20_000])
  })

  const step = (): Step => {
    const kind = random()
    if (forgetful && kind < 0.06) {
      return { _tag: "Forget", what: oneOf(["everything", "everything", "group", "scripts"]) }
    }
    if (kind < 0.42) return send()
    if (kind < 0.72) return { _tag: "Pass", millis: oneOf([millis(), millis(), 700, 3_500]) }
    if (kind < 0.77) return { _tag: "Start", consumers: 1 + upTo(2), skew: skew() }
    if (kind < 0.81) return { _tag: "Crash", which: upTo(8) }
    if (kind < 0.84) return { _tag: "Stop", which: upTo(8) }
    if (kind < 0.87) return { _tag: "Cut", which: upTo(8), millis: oneOf([100, 1_500, 5_000]) }
    if (kind < 0.89) return { _tag: "Jump", which: upTo(8), skew: skew() }
    if (kind < 0.96) {
      return { _tag: "Faults", which: upTo(8), policy: chance(0.3) ? undefined : oneOf(workerPolicies) }
    }
    return { _tag: "Faults", which: "senders", policy: chance(0.4) ? undefined : oneOf(senderPolicies) }
  }

  return { seed, steps: [{ _tag: "Start", consumers: 1, skew: skew() }, ...Array.from({ length }, step)] }
}
