/**
 * A worker at one moment, as data.
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import type { ConsumerStatus, WorkerStatus } from "../../Worker.ts"
import { everything } from "../redis/pauses.ts"
import type { Consumer } from "./consumer.ts"
import type { Crew } from "./crew.ts"
import type { Host } from "./host.ts"

const orUndefined = (millis: number | undefined): DateTime.Utc | undefined =>
  millis === undefined ? undefined : DateTime.makeUnsafe(millis)

const consumerStatus = ({ vitals }: Host, { name, reader, runner, settler }: Consumer): ConsumerStatus => ({
  name,
  running: runner.room.running,
  held: runner.heldIds().length,
  unwritten: settler.unwritten(),
  lastRead: orUndefined(vitals.lastReads.get(name)),
  reads: reader !== undefined,
  full: !runner.room.isEnough()
})

/** Everything except the state, which the supervisor knows. */
export const statusOf = (host: Host, { everyone }: Crew): Omit<WorkerStatus, "state"> => {
  const { names, options, pausing, trouble, vitals } = host
  return {
    service: names.service,
    stream: names.stream,
    group: names.group,
    lease: Duration.millis(vitals.lease),
    lastRenewed: DateTime.makeUnsafe(vitals.lastRenewed),
    lastDue: DateTime.makeUnsafe(vitals.lastDue),
    startedAt: DateTime.makeUnsafe(vitals.startedAt),
    block: Duration.millis(options.block),
    eventLoopDelay: Duration.millis(vitals.eventLoopDelay()),
    schedules: [...vitals.schedules].map(([name, isSent]) => ({ name, isSent })),
    lanes: vitals.lanes,
    parked: vitals.parked,
    consumers: everyone.map((consumer) => consumerStatus(host, consumer)),
    pauses: pausing.stored().map(({ field, reason, until }) => ({
      actionType: field === everything ? undefined : field,
      until: until === Infinity ? undefined : DateTime.makeUnsafe(until),
      reason
    })),
    trouble: trouble.current()
  }
}
