/** SQLite for Effect's SQL modules, over Node's own `node:sqlite`. */
import { Effect, Layer, Semaphore, Stream } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient, type SqlConnection, SqlError, Statement } from "effect/sql"
import { DatabaseSync, type SQLInputValue } from "node:sqlite"

const make = Effect.fnUntraced(function*(filename: string) {
  const database = yield* Effect.acquireRelease(
    Effect.sync(() => new DatabaseSync(filename)),
    (database) => Effect.sync(() => database.close())
  )
  const query = (sql: string, params: ReadonlyArray<unknown>, asArrays: boolean) =>
    Effect.try({
      try: () => {
        const statement = database.prepare(sql)
        statement.setReturnArrays(asArrays)
        return statement.all(...params as ReadonlyArray<SQLInputValue>)
      },
      catch: (cause) => new SqlError.SqlError({ reason: SqlError.classifySqliteError(cause) })
    })
  const rows: SqlConnection.Connection["execute"] = (sql, params, transform) =>
    Effect.map(query(sql, params, false), (found) => transform === undefined ? found : transform(found))
  const values: SqlConnection.Connection["executeValues"] = (sql, params) =>
    Effect.map(query(sql, params, true), (found) => found as unknown as ReadonlyArray<ReadonlyArray<unknown>>)
  const connection: SqlConnection.Connection = {
    execute: rows,
    executeUnprepared: rows,
    executeRaw: (sql, params) => rows(sql, params, undefined),
    executeValues: values,
    executeValuesUnprepared: values,
    executeStream: () => Stream.die("executeStream is not implemented")
  }
  // One connection: a transaction holds it until it ends.
  const turn = yield* Semaphore.make(1)
  return yield* SqlClient.make({
    acquirer: turn.withPermit(Effect.succeed(connection)),
    transactionAcquirer: Effect.uninterruptibleMask((restore) =>
      restore(turn.take(1)).pipe(
        Effect.andThen(Effect.addFinalizer(() => turn.release(1))),
        Effect.as(connection)
      )
    ),
    compiler: Statement.makeCompilerSqlite(),
    driver: "node-sqlite",
    spanAttributes: [["db.system.name", "sqlite"]]
  })
})

export const layer = (filename: string): Layer.Layer<SqlClient.SqlClient> =>
  Layer.effect(SqlClient.SqlClient, make(filename)).pipe(Layer.provide(Reactivity.layer))
