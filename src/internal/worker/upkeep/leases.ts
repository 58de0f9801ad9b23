/** Records this process's lease with the group and renews the entries that it holds. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Metrics from "../../../Metrics.ts"
import { monotonicMillis } from "../../base/monotonic.ts"
import { maxEntries, pages } from "../../scripts/bounds.ts"
import { decodeRenewal, holdLease, renew } from "../../scripts/lease.ts"
import type { Consumer } from "../consumer.ts"
import type { Host } from "../host.ts"
import type { MakePart } from "../part.ts"
import { lostLogger } from "../report.ts"

/** A lease is forgotten when it was not renewed for this many times its length. */
const leaseLives = 3

/** Records this worker's lease with the group, which may use a longer one. */
const hold = Effect.fnUntraced(function*({ names, options: { claimIdle }, redis, vitals }: Host) {
  const timeToLive = leaseLives * Math.max(claimIdle, 10_000)
  const held = Number(yield* redis.eval(holdLease.script)({ ...names, claimIdle, timeToLive }))
  if (held > claimIdle && vitals.lease !== held) {
    yield* Effect.logWarning(
      `Another worker of ${names.group} has claimIdle ${held} ms, and this one ${claimIdle} ms: the longer one applies. ` +
        "Give all workers of a service the same WORKER_CLAIM_IDLE"
    )
  }
  vitals.lease = Math.max(claimIdle, held)
})

const renewing = (host: Host) => {
  const { clock, names, onGone, options, redis, telemetry } = host
  const logLost = lostLogger(names, host.context)
  /** Whether the last renewal took longer than the lease. */
  let wasSlow = false

  return Effect.fnUntraced(function*({ name, runner }: Consumer) {
    const { guard } = runner
    for (const some of pages(runner.heldIds(), maxEntries)) {
      const sent = monotonicMillis(clock)
      const { ahead, dropped, ended, gone, lost, several } = decodeRenewal(
        yield* redis.eval(renew.script)({ ...names, consumer: name, ids: some })
      )
      // If the lease of an entry was over, others may have claimed and settled it before it left the pending list. If
      // settled entries stay in the stream, the same is true of those still there.
      const stays = several || options.retain !== undefined
      const wasClaimed = (id: string): boolean => guard.isStale(id, sent)
      const claimedAndKept = stays ? dropped.filter(wasClaimed) : []
      const claimed = guard.lose([...lost, ...ended.filter(wasClaimed), ...claimedAndKept])
      if (claimed.length > 0) {
        telemetry.count(Metrics.leasesLost, claimed.length)
        logLost("taken", claimed, name)
      }
      // A deleted entry cannot be settled, so its handler is interrupted like one that lost its lease.
      const deleted = guard.lose([...gone, ...ended])
      if (deleted.length > 0) yield* onGone(deleted)
      const unowned = guard.drop(dropped)
      if (unowned.length > 0) {
        telemetry.count(Metrics.entriesLost, unowned.length)
        logLost("dropped", unowned, name)
      }
      // The group was created again and delivers these entries again. That was already logged.
      guard.drop(ahead)
      // A late reply says little about the current state, so it is asked for again. If the server always takes longer
      // than the lease, no better reply will come: the second is accepted, or nothing would ever start.
      const received = monotonicMillis(clock)
      const isSlow = received - sent > options.claimIdle
      const missing = new Set([...lost, ...gone, ...ended, ...dropped, ...ahead])
      guard.renewed(
        missing.size === 0 ? some : some.filter((id) => !missing.has(id)),
        isSlow && wasSlow ? received : sent
      )
      wasSlow = isSlow
    }
  })
}

export const leases: MakePart = (host, { everyone }) => {
  const { clock, names, options, signals, vitals } = host
  const renewConsumer = renewing(host)
  const holdOwn = Effect.suspend(() => hold(host))

  const renewAll = Effect.suspend(() => {
    signals.renew.closeUnsafe()
    return Effect.forEach(everyone, renewConsumer, { discard: true })
  }).pipe(
    Effect.tap(() =>
      Effect.sync(() => {
        vitals.lastRenewed = clock.currentTimeMillisUnsafe()
      })
    ),
    // Also while nothing is claimed because of a pause or a lack of room. Otherwise workers with a shorter lease would
    // claim running entries as soon as this lease is forgotten.
    Effect.andThen(holdOwn)
  )

  return {
    starts: holdOwn,
    keeps: Effect.forever(
      Effect.andThen(
        // Uses its own lease, even while the group uses a longer one, because that is forgotten once no worker renews
        // it.
        Effect.raceFirst(Effect.sleep(Duration.millis(options.claimIdle / 3)), signals.renew.await),
        // Two more failures like the first lose the lease, so it is retried as soon as possible.
        host.trouble.around(`renewing in ${names.stream}`, renewAll, host.restoreGroup)
      )
    )
  }
}
