/** What a server knows of a service, whichever way it is asked: through a layer, a client in memory, or a socket. */
import * as Effect from "effect/Effect"
import type { Names } from "../../src/internal/redis/names.ts"

/** A stream entry: id, and field and value pairs. */
export type Row = readonly [id: string, fields: ReadonlyArray<string>]

/** A pending entry: its id, its consumer, milliseconds since its delivery or renewal, deliveries. */
export type Pending = readonly [id: string, consumer: string, idle: number, deliveries: number]

export interface DeadLetter {
  /** What the worker noted. */
  readonly notes: Readonly<Record<string, string>>
  /** The fields of the entry as it was sent. */
  readonly original: ReadonlyArray<string>
}

export type Command<E, R> = (
  name: string,
  ...args: ReadonlyArray<string>
) => Effect.Effect<unknown, E, R>

/** Fields as an object; of a field that stands there twice, the first. */
export const fieldsOf = (fields: ReadonlyArray<string>): Readonly<Record<string, string>> => {
  const record: Record<string, string> = {}
  for (let i = 0; i + 1 < fields.length; i += 2) record[fields[i]!] ??= fields[i + 1]!
  return record
}

const letterOf = ([, fields]: Row): DeadLetter => {
  const at = fields.indexOf("fields")
  return { notes: fieldsOf(fields.slice(0, at)), original: fields.slice(at + 2) }
}

/** SAFETY of the casts: the shapes are those of Redis's replies. */
export const viewOf = <E, R>(names: Names, command: Command<E, R>) => {
  const rowsOf = (stream: string) =>
    Effect.map(command("XRANGE", stream, "-", "+"), (rows) => rows as ReadonlyArray<Row>)
  const number = (name: string, ...args: ReadonlyArray<string>) => Effect.map(command(name, ...args), Number)
  return {
    entries: rowsOf(names.stream),
    /** How many entries are in the stream. */
    length: number("XLEN", names.stream),
    pending: Effect.map(
      command("XPENDING", names.stream, names.group, "-", "+", "10000"),
      (rows) => rows as ReadonlyArray<Pending>
    ),
    /** How many entries are pending, more than 10,000 too. */
    pendingCount: Effect.map(
      command("XPENDING", names.stream, names.group),
      (reply) => (reply as readonly [number])[0]
    ),
    consumers: Effect.map(
      command("XINFO", "CONSUMERS", names.stream, names.group),
      (rows) => (rows as ReadonlyArray<ReadonlyArray<string>>).map((row) => row[1]!)
    ),
    deadLetters: Effect.map(rowsOf(names.deadLetters), (rows) => rows.map(letterOf)),
    /** Keys of attempts that wait, which are gone when none does. */
    retries: number("EXISTS", names.retryDue, names.retryRecords)
  }
}
