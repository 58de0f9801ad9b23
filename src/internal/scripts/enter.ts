/**
 * The one way into an action stream from a script. A plain send from a client stays a plain `XADD`.
 */
import { replaysField } from "../wire/entry.ts"

/**
 * The fields of an entry, in their order. Each is a Lua expression for the value; omitted fields are not written.
 *
 * `lane` and `expires` come before `replays`, which stays last: workers read `replays` only there.
 */
export interface EntryFields {
  readonly data: string
  readonly traceparent?: string
}

const order = ["data", "traceparent"] as const satisfies ReadonlyArray<keyof EntryFields>

/** Names and values as Lua arguments of `enter`. */
export const luaFields = (fields: EntryFields): string =>
  order.flatMap((name) => {
    const value = fields[name]
    return value === undefined ? [] : [`'${name}'`, value]
  }).join(", ")

/**
 * Lua: sets the field `replays` of a list of names and values. It is the last field, whatever the sender wrote before it.
 * What else a replay changes belongs here: it drops the field `expires`.
 */
export const luaReplayed = `local function replayed(values, replays)
  if values[#values - 1] ~= '${replaysField}' then
    values[#values + 1] = '${replaysField}'
    values[#values + 1] = ''
  end
  values[#values] = replays
end
`

/**
 * Lua: appends an entry to an action stream and returns its id. `call` is `redis.call`, which ends the script when the server
 * refuses the entry, or `redis.pcall`, which returns the refusal.
 *
 * Decisions about entries that are not appended at once go here, before the append, in this order: expired entries are dropped,
 * a key that was used is answered with its first entry, entries that are due later are parked, and entries of a full lane wait
 * behind it. A script that needs one of them passes the keys beside the stream; the others keep calling this text as it is.
 *
 * The fields are arguments and not a table: `sendMany` calls this for each action, and a table costs the server 2 %.
 */
export const luaEnter = `local function enter(call, stream, ...)
  return call('XADD', stream, '*', ...)
end
`
