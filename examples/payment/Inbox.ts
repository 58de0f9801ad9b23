/** What is done once for each action, however often it runs. */
import { Effect } from "effect"
import { Action, type Delivery, RetryLater } from "effect-redis-workers"
import { SqlClient } from "effect/sql"

export const migrate = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE IF NOT EXISTS inbox (action_id TEXT PRIMARY KEY, result TEXT, time TEXT DEFAULT CURRENT_TIMESTAMP)`
})

/** Runs `work` in a transaction, once for each action; a second run gets the result of the first. */
export const once = Effect.fnUntraced(
  function*<A extends Action.Any, E, R>(
    action: A,
    delivery: Delivery.Delivery,
    work: Effect.Effect<Action.Success<A>, E, R>
  ) {
    const sql = yield* SqlClient.SqlClient
    const id = delivery.action.action_id
    return yield* sql.withTransaction(Effect.gen(function*() {
      // Where transactions run concurrently, a second run of the same action waits here for the first to end.
      const inserted =
        yield* sql`INSERT INTO inbox (action_id) VALUES (${id}) ON CONFLICT DO NOTHING RETURNING action_id`
      if (inserted.length === 0) {
        const [row] = yield* sql<{ result: string }>`SELECT result FROM inbox WHERE action_id = ${id}`
        return yield* Effect.orDie(Action.decodeSuccess(action, JSON.parse(row!.result)))
      }
      const success = yield* work
      const result = yield* Effect.orDie(Action.encodeSuccess(action, success))
      yield* sql`UPDATE inbox SET result = ${JSON.stringify(result)} WHERE action_id = ${id}`
      return success
    }))
  },
  // The database does not answer now: nothing was committed, so the action may be run again.
  Effect.catchTag("SqlError", (cause) => Effect.fail(new RetryLater({ cause })))
)
