/**
 * Trims entries that every group has finished, in the cases where the settle script does not delete them at once: with
 * several groups, or if acknowledged entries are kept for a while.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Redis } from "../../../Redis.ts"
import type { WorkerError } from "../../../WorkerError.ts"
import { failureOf } from "../../redis/failure.ts"
import type { Names } from "../../redis/names.ts"
import type { Trouble } from "../../redis/trouble.ts"
import { maxEntries } from "../../scripts/bounds.ts"
import { trim } from "../../scripts/streams.ts"
import { isBefore } from "../../wire/entry.ts"
import type { MakePart } from "../part.ts"

export interface RetentionOptions {
  readonly redis: Redis["Service"]
  readonly names: Names
  /** How long acknowledged entries are kept, in milliseconds. */
  readonly retain: number
  readonly trouble: Trouble
  readonly now: () => number
}

/** Milliseconds between two looks. */
const interval = 5_000

/** Milliseconds between two calls while there is more to trim: together they trim more than the server can take in. */
const pause = 2

/** A group that holds back the stream at the same id for this long is reported. */
const standstill = Duration.toMillis("5 minutes")

interface GroupState {
  readonly name: string
  readonly pending: number
  /** The first id that the group still needs, or the last that it has read. */
  readonly id: string
}

const groupStates = (reply: unknown): ReadonlyArray<GroupState> => {
  const states: Array<GroupState> = []
  if (!Array.isArray(reply)) return states
  for (let i = 0; i + 2 < reply.length; i += 3) {
    states.push({ name: String(reply[i]), pending: Number(reply[i + 1]), id: String(reply[i + 2]) })
  }
  return states
}

interface GroupProgress {
  readonly id: string
  readonly since: number
  reported: boolean
}

export const trimming = (options: RetentionOptions): Effect.Effect<never, WorkerError> => {
  const { names, redis, trouble } = options
  const doing = `trimming ${names.stream}`
  const progress = new Map<string, GroupProgress>()
  const once = Effect.catchIf(
    redis.eval(trim.script)({ stream: names.stream, limit: maxEntries, retain: options.retain }),
    // Readers make a missing stream or group again; until then there is nothing to trim.
    (error) => failureOf(error) === "NoGroup",
    () => Effect.undefined
  )

  const follow = Effect.fnUntraced(function*(groups: ReadonlyArray<GroupState>) {
    const furthest = groups.reduce((most, { id }) => isBefore(most, id) ? id : most, "0-0")
    for (const { id, name, pending } of groups) {
      const before = progress.get(name)
      if (before?.id !== id) {
        progress.set(name, { id, since: options.now(), reported: false })
        continue
      }
      // Without new entries, no group advances.
      const holdsBack = groups.length > 1 && (pending > 0 || isBefore(id, furthest))
      if (before.reported || !holdsBack || options.now() - before.since < standstill) continue
      before.reported = true
      yield* Effect.logWarning(
        `Group ${name} has not moved past ${id} for 5 minutes: ${names.stream} is not trimmed beyond it. ` +
          (name === names.group
            ? "A handler has been running that long, or an action waits for its next attempt"
            : "Start its workers, or remove the group with XGROUP DESTROY")
      ).pipe(Effect.annotateLogs({ group: name, pending }))
    }
  })

  let more = false
  return Effect.forever(Effect.gen(function*() {
    yield* Effect.sleep(Duration.millis(more ? pause : interval))
    more = false
    // Retried as soon as possible, because a worker is not ready while this fails.
    const reply = yield* trouble.around(doing, once)
    const [trimmed, groups] = Array.isArray(reply) ? reply : []
    // Less than that is what is left in blocks that are not done with yet.
    more = Number(trimmed) >= maxEntries / 2
    yield* follow(groupStates(groups))
  }))
}

export const retention: MakePart = ({ names, options: { retain = 0 }, redis, server, trouble }) =>
  retain === Infinity ? undefined : { takes: trimming({ redis, names, retain, trouble, now: server.now }) }
