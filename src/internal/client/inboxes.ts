/**
 * The inboxes of one client: one for each list that its naming uses for answers. The naming of the wire format uses one
 * list for all answers; a custom naming may keep answers next to the service that answers.
 */
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import { farewell } from "../redis/farewell.ts"
import * as AskShared from "./askShared.ts"
import * as inbox from "./inbox.ts"
import * as Waiters from "./waiters.ts"

/** A list for answers. */
export interface AnswerList {
  readonly key: string
  /** Sends, and waits for the answer in an inbox; `undefined` for the list of one request. */
  readonly ask: ReturnType<typeof AskShared.make> | undefined
}

interface Opened extends AnswerList {
  readonly waiters: Waiters.Waiters
}

export interface InboxesOptions extends Omit<inbox.InboxOptions, "key" | "waiters"> {
  /** Returns the list for the answers of a service. */
  readonly keyOf: (answering: string) => string
}

/** Each inbox is read from its first request on. All are removed when the scope closes. */
export const make = Effect.fnUntraced(function*({ keyOf, ...options }: InboxesOptions) {
  const opened = new Map<string, Opened>()
  const byService = new Map<string, Opened>()
  // One list in each command, since they may be on different nodes.
  yield* Effect.addFinalizer(() =>
    Effect.forEach(opened.keys(), (key) => farewell(options.redis.send("DEL", key)), {
      concurrency: "unbounded",
      discard: true
    })
  )
  // A closed set interrupts fibers added to it.
  const readers = yield* FiberSet.make<never>()
  const context = yield* Effect.context<Scope.Scope>()

  const open = (key: string): Opened => {
    const waiters = Effect.runSyncWith(context)(Waiters.make)
    const answers = inbox.make({ ...options, key, waiters })
    FiberSet.addUnsafe(readers, Effect.runForkWith(context)(answers.run))
    const made = { key, ask: AskShared.make(waiters, answers.wake), waiters }
    opened.set(key, made)
    return made
  }

  return {
    /** Throws what the naming throws. */
    of: (answering: string): AnswerList => {
      // Cached, so that a request builds no name.
      const known = byService.get(answering)
      if (known !== undefined) return known
      const key = keyOf(answering)
      const found = opened.get(key) ?? open(key)
      byService.set(answering, found)
      return found
    },
    /** The number of requests waiting for their answer. */
    waiting: (): number => {
      let waiting = 0
      for (const { waiters } of opened.values()) waiting += waiters.size()
      return waiting
    }
  }
})
