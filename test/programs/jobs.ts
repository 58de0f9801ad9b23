/**
 * A service `job` whose handlers say what they do, so that a test can see it from outside.
 *
 * - `job.quick` is done at once.
 * - `job.hold` runs until the key `go:<service>` exists.
 * - `job.stubborn` does so too, and cannot be interrupted.
 * - `job.block` keeps the event loop busy for `ms` milliseconds at its first delivery, then goes on as `job.hold`.
 * - `job.slow` takes `ms` milliseconds.
 * - `job.exit` ends the process after `ms` milliseconds, `job.oom` uses up its memory.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Schedule from "effect/Schedule"
import type { Delivery } from "../../src/Delivery.ts"
import type { DomainAction } from "../../src/DomainAction.ts"
import { Redis } from "../../src/Redis.ts"
import * as Worker from "../../src/Worker.ts"
import { AppLayer, say, sayNow } from "../support/program.ts"

const idOf = (action: DomainAction): string => String(action.data["id"])

const msOf = (action: DomainAction): number => Number(action.data["ms"])

const allowed = Latch.makeUnsafe(false)

/** Until the test says so. What fails meanwhile fails: the server may be gone. */
const watch = Effect.flatMap(
  Redis,
  (redis) =>
    Effect.repeat(Effect.orElseSucceed(redis.send<number>("EXISTS", `go:${process.env["SERVICE_NAME"]}`), () => 0), {
      schedule: Schedule.spaced("20 millis"),
      until: (exists) => exists === 1
    })
).pipe(Effect.andThen(allowed.open))

const hold = (action: DomainAction, { attempt, deliveries }: Delivery) => {
  const id = idOf(action)
  return say(`started ${id} attempt=${attempt} deliveries=${deliveries}`).pipe(
    Effect.andThen(allowed.await),
    Effect.andThen(say(`ended ${id}`)),
    Effect.as({ id }),
    Effect.onInterrupt(() => say(`interrupted ${id}`))
  )
}

const handlers = {
  "job.quick": (action: DomainAction, { attempt, deliveries }: Delivery) =>
    Effect.as(say(`quick ${idOf(action)} attempt=${attempt} deliveries=${deliveries}`), { id: idOf(action) }),
  "job.hold": hold,
  "job.stubborn": (action: DomainAction, delivery: Delivery) => Effect.uninterruptible(hold(action, delivery)),
  "job.block": (action: DomainAction, delivery: Delivery) =>
    Effect.sync(() => {
      if (delivery.deliveries > 1) return
      sayNow(`blocking ${idOf(action)}`)
      const end = performance.now() + Number(action.data["ms"])
      while (performance.now() < end) {
        // Nothing else runs in this process.
      }
      sayNow(`unblocked ${idOf(action)}`)
    }).pipe(Effect.andThen(hold(action, delivery))),
  "job.slow": (action: DomainAction) =>
    Effect.as(Effect.andThen(Effect.sleep(msOf(action)), say(`ended ${idOf(action)}`)), { id: idOf(action) }),
  "job.exit": (action: DomainAction, { deliveries }: Delivery) =>
    Effect.andThen(
      Effect.sleep(msOf(action)),
      Effect.sync(() => {
        sayNow(`exiting ${idOf(action)} deliveries=${deliveries}`)
        process.exit(3)
      })
    ),
  "job.oom": (action: DomainAction, { deliveries }: Delivery) =>
    Effect.andThen(
      Effect.sleep(msOf(action)),
      Effect.sync(() => {
        sayNow(`filling ${idOf(action)} deliveries=${deliveries}`)
        const held: Array<Array<number>> = []
        while (true) held.push(new Array<number>(16_000_000).fill(held.length))
      })
    )
}

const main = Effect.andThen(Effect.forkChild(watch), Worker.run(handlers))

sayNow("up")
NodeRuntime.runMain(main.pipe(Effect.provide(AppLayer)), { teardown: Worker.teardown })
