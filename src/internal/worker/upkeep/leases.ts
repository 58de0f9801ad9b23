/**
 * Keeps what this process holds: records its lease with the group, and renews it.
 */
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

/** A lease is forgotten when nobody renewed it for so many times its length. */
const leaseLives = 3

/** Records this worker's lease with the group, which may hold a longer one. */
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
  /** The last renewal took longer than the lease. */
  let wasSlow = false

  return Effect.fnUntraced(function*({ name, runner }: Consumer) {
    const { guard } = runner
    for (const some of pages(runner.heldIds(), maxEntries)) {
      const sent = monotonicMillis(clock)
      const { ahead, dropped, ended, gone, lost, several } = decodeRenewal(
        yield* redis.eval(renew.script)({ ...names, consumer: name, ids: some })
      )
      // What left the pending list may have been claimed by others and settled, if its lease was over. Where settled entries
      // stay in the stream, that holds for those that are still there, too.
      const stays = several || options.retain !== undefined
      const wasClaimed = (id: string): boolean => guard.isStale(id, sent)
      const claimedAndKept = stays ? dropped.filter(wasClaimed) : []
      const claimed = guard.lose([...lost, ...ended.filter(wasClaimed), ...claimedAndKept])
      if (claimed.length > 0) {
        telemetry.count(Metrics.leasesLost, claimed.length)
        logLost("taken", claimed, name)
      }
      // Nothing can be settled of an entry that somebody deleted: its handler is ended like one that lost it.
      const deleted = guard.lose([...gone, ...ended])
      if (deleted.length > 0) yield* onGone(deleted)
      const unowned = guard.drop(dropped)
      if (unowned.length > 0) {
        telemetry.count(Metrics.entriesLost, unowned.length)
        logLost("dropped", unowned, name)
      }
      // The group was made again and delivers these again: that was logged.
      guard.drop(ahead)
      // A reply that came late says little about now, and is asked for again. Of a server that always takes longer than the
      // lease nothing better can be had: it is believed the second time, or nothing would ever start.
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
    // Also while nothing is claimed, for a pause or for want of room: what runs here is claimed by those with a shorter lease
    // as soon as ours is forgotten.
    Effect.andThen(holdOwn)
  )

  return {
    starts: holdOwn,
    keeps: Effect.forever(
      Effect.andThen(
        // By its own lease, also while a longer one holds: that one is forgotten once nobody wants it any more.
        Effect.raceFirst(Effect.sleep(Duration.millis(options.claimIdle / 3)), signals.renew.await),
        // Two more failures like the first, and the lease is lost: it is tried again as soon as it can be.
        host.trouble.around(`renewing in ${names.stream}`, renewAll, host.restoreGroup)
      )
    )
  }
}
