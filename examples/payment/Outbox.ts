/** Actions that are sent when, and only when, a transaction is committed. */
import { DateTime, Effect } from "effect"
import { Action, ActionClient, ActionContext, DomainAction, type Settings } from "effect-redis-workers"
import { SqlClient } from "effect/sql"

export const migrate = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY, envelope TEXT NOT NULL)`
})

/** Inside a transaction: has an action sent once the transaction is committed. Tenant, session and trace go along. */
export const enqueue = Effect.fnUntraced(function*<A extends Action.Any>(
  action: A,
  payload: Action.PayloadInput<A>,
  origin: Settings.Values
) {
  const sql = yield* SqlClient.SqlClient
  const envelope = DomainAction.make({
    action_id: crypto.randomUUID(),
    action_type: action.type,
    timestamp: DomainAction.timestamp(yield* DateTime.now),
    origin_service: origin.serviceName,
    ...ActionContext.toFields(yield* ActionContext.ActionContext),
    data: yield* Effect.orDie(Action.encodePayload(action, payload))
  })
  const text = DomainAction.encode(envelope)
  // What no worker would take ends the transaction here: in the outbox it would hold up all that is behind it.
  yield* Effect.orDie(Effect.fromResult(DomainAction.parse(text)))
  yield* sql`INSERT INTO outbox (envelope) VALUES (${text})`
})

/** Sends what waits, oldest first; run it beside the worker, repeated. */
export const relay = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const client = yield* ActionClient.ActionClient
  const waiting = yield* sql<{ id: number; envelope: string }>`SELECT id, envelope FROM outbox ORDER BY id LIMIT 100`
  for (const { id, envelope } of waiting) {
    yield* client.sendAction(yield* Effect.fromResult(DomainAction.parse(envelope)))
    yield* sql`DELETE FROM outbox WHERE id = ${id}`
  }
  return waiting.length
})
