/** Entries of the inspector → the one shape that the API has for all states. */
import type * as Inspector from "../../Inspector.ts"
import type * as models from "./models.ts"

const idOf = (entry: Inspector.Entry): string =>
  entry.state === "dead"
    ? entry.letter.id
    : entry.state === "scheduled" || entry.state === "queued"
    ? entry.parkingId
    : entry.entryId

export const entryOf = (entry: Inspector.Entry): typeof models.Entry.Type => ({
  state: entry.state,
  id: idOf(entry),
  actionId: entry.actionId,
  actionType: entry.actionType,
  correlationId: entry.correlationId,
  traceId: entry.traceId,
  size: entry.size,
  payload: entry.payload,
  verdict: entry.verdict,
  addedAt: "addedAt" in entry ? entry.addedAt : entry.state === "queued" ? entry.since : undefined,
  dueAt: "dueAt" in entry ? entry.dueAt : undefined,
  expiresAt: entry.state === "scheduled" || entry.state === "queued" ? entry.expiresAt : undefined,
  consumer: entry.state === "running" ? entry.consumer : undefined,
  idle: entry.state === "running" ? entry.idle : undefined,
  deliveries: "deliveries" in entry ? entry.deliveries : undefined,
  attempts: "attempts" in entry ? entry.attempts : undefined,
  lastError: entry.state === "retrying" ? entry.lastError : undefined,
  unknownSince: entry.state === "retrying" ? entry.unknownSince : undefined,
  letter: entry.state === "dead" ? entry.letter : undefined
})
