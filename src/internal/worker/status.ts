/** A snapshot of a worker. */
import type { ConsumerStatus, WorkerStatus } from "../../Worker.ts"
import type { Consumer } from "./consumer.ts"
import type { Crew } from "./crew.ts"
import type { Host } from "./host.ts"

const consumerStatus = ({ vitals }: Host, { name, reader, runner, settler }: Consumer): ConsumerStatus => ({
  name,
  running: runner.room.running,
  held: runner.heldIds().length,
  unwritten: settler.unwritten(),
  lastRead: vitals.lastReads.get(name),
  reads: reader !== undefined,
  full: !runner.room.isEnough()
})

/** Everything except the state, which the supervisor knows. */
export const statusOf = (host: Host, { everyone }: Crew): Omit<WorkerStatus, "state"> => {
  const { names, options, trouble, vitals } = host
  return {
    service: names.service,
    stream: names.stream,
    group: names.group,
    lease: vitals.lease,
    lastRenewed: vitals.lastRenewed,
    startedAt: vitals.startedAt,
    block: options.block,
    eventLoopDelay: vitals.eventLoopDelay(),
    consumers: everyone.map((consumer) => consumerStatus(host, consumer)),
    trouble: trouble.current()
  }
}
