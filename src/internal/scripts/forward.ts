/** Writes an answer that comes from another slot. */
import type { Address } from "../wire/outbound.ts"
import { luaEnter, luaFields } from "./enter.ts"
import { define, liveArgument, luaLive } from "./script.ts"

/** How long an answer in a stream is known, in milliseconds: a second one with the same id is not appended. */
const known = 24 * 60 * 60 * 1000

export interface ForwardParams {
  readonly address: Address
  readonly payload: string
  /** The key that remembers an answer in a stream, and its id. Without it the answer is appended each time. */
  readonly guard: { readonly key: string; readonly id: string } | undefined
}

/** Replies with `sent`, `known`, or the server's refusal because of what the key holds. */
export const forward = define<ForwardParams>({
  lua: `${luaLive}${luaEnter}
local key, guard = KEYS[1], KEYS[2]
local kind, payload, extra, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if guard and redis.call('EXISTS', guard) == 1 then return 'known' end
local pushed
if kind == 'list' then
  pushed = redis.pcall('LPUSH', key, payload)
  if type(pushed) == 'number' then live(key, extra, pushed) end
elseif extra ~= '' then
  pushed = enter(redis.pcall, key, ${luaFields({ data: "payload", traceparent: "extra" })})
else
  pushed = enter(redis.pcall, key, ${luaFields({ data: "payload" })})
end
if type(pushed) == 'table' and pushed.err then
  if pushed.err:find('WRONGTYPE') or pushed.err:find('exhausted the last possible ID', 1, true) then return pushed.err end
  return pushed
end
if guard then redis.call('SET', guard, id .. ' ' .. pushed, 'PX', ${known}) end
return 'sent'
`,
  keys: ({ address, guard }) => guard === undefined ? [address.key] : [address.key, guard.key],
  args: ({ address, guard, payload }) => [
    address.kind,
    payload,
    address.kind === "list" ? liveArgument(address) : address.traceparent ?? "",
    guard?.id ?? ""
  ]
})
