/**
 * The one way into an action stream from a script. A plain send from a client stays a plain `XADD`.
 */
import { expiresField, replaysField } from "../wire/entry.ts"

/**
 * The fields of an entry, in their order. Each is a Lua expression for the value; omitted fields are not written.
 *
 * `lane` and `expires` come before `replays`, which stays last: workers read `replays` only there.
 */
export interface EntryFields {
  readonly data: string
  readonly traceparent?: string
  readonly lane?: string
  readonly expires?: string
}

const order = ["data", "traceparent", "lane", "expires"] as const satisfies ReadonlyArray<keyof EntryFields>

/** Names and values as Lua arguments of `enter`. */
export const luaFields = (fields: EntryFields): string =>
  order.flatMap((name) => {
    const value = fields[name]
    return value === undefined ? [] : [`'${name}'`, value]
  }).join(", ")

/**
 * Lua: sets the field `replays` of a list of names and values. It is the last field, whatever the sender wrote before it.
 * The field `expires` is dropped, because a replayed action is meant to run.
 */
export const luaReplayed = `local function replayed(values, replays)
  for i = #values - 1, 1, -2 do
    if values[i] == '${expiresField}' then
      table.remove(values, i)
      table.remove(values, i)
    end
  end
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
 * Some actions are not appended at once, and scripts decide that before they call this. `park` answers a key that was used, and
 * keeps actions that are due later. `promote` drops actions that are over.
 *
 * The fields are arguments and not a table: `sendMany` calls this for each action, and a table costs the server 2 %.
 */
export const luaEnter = `local function enter(call, stream, ...)
  return call('XADD', stream, '*', ...)
end
`
