/**
 * Trims what every group is done with, where the settle script does not delete it at once: with several groups, or
 * where acknowledged entries are kept for a while.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Redis } from "../Redis.ts"
import type { WorkerError } from "../WorkerError.ts"
import type { Names } from "./names.ts"
import { failureOf } from "./redisFailure.ts"
import { trim } from "./scripts/streams.ts"
import type { Trouble } from "./trouble.ts"

export interface RetentionOptions {
  readonly redis: Redis["Service"]
  readonly names: Names
  /** Milliseconds that acknowledged entries are kept. */
  readonly retain: number
  readonly trouble: Trouble
  readonly now: () => number
}

/** Milliseconds between two calls. */
const interval = 5_000

/** Entries trimmed in one call, about. */
const batch = 10_000

/** A group that holds the stream back at one id for so long is reported. */
const standstill = Duration.toMillis("5 minutes")

interface GroupProgress {
  readonly id: string
  readonly since: number
  reported: boolean
}

export const trimming = (options: RetentionOptions): Effect.Effect<never, WorkerError> => {
  const { names, redis, trouble } = options
  const doing = `trimming ${names.stream}`
  const progress = new Map<string, GroupProgress>()
  const once = redis.eval(trim.script)({ stream: names.stream, limit: batch, retain: options.retain })

  const follow = Effect.fnUntraced(function*(groups: ReadonlyArray<unknown>) {
    for (let i = 0; i + 2 < groups.length; i += 3) {
      const name = String(groups[i])
      const id = String(groups[i + 2])
      const before = progress.get(name)
      if (before?.id !== id) {
        progress.set(name, { id, since: options.now(), reported: false })
      } else if (!before.reported && groups.length > 3 && options.now() - before.since >= standstill) {
        before.reported = true
        yield* Effect.logWarning(
          `Group ${name} has not moved past ${id} for 5 minutes: ${names.stream} is not trimmed beyond it. ` +
            "Start its workers, or remove it with XGROUP DESTROY"
        ).pipe(Effect.annotateLogs({ group: name, pending: groups[i + 1] }))
      }
    }
  })

  return Effect.forever(Effect.gen(function*() {
    yield* Effect.sleep(Duration.millis(interval))
    const result = yield* Effect.result(once)
    if (result._tag === "Failure") {
      // A missing stream or group is for the readers to mend.
      if (failureOf(result.failure) !== "NoGroup") yield* trouble.failed(doing, result.failure)
      return
    }
    if (trouble.failing()) yield* trouble.passed(doing)
    const groups = Array.isArray(result.success) ? result.success[1] : []
    if (Array.isArray(groups)) yield* follow(groups)
  }))
}
