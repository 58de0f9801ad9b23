/**
 * Schedules: every change compares with what its caller has read, so that of several processes one wins, and each slot fires
 * once.
 */
import { luaEnter, luaFields } from "./enter.ts"
import { define, luaInteger, luaNow } from "./script.ts"

interface ScheduleKeys {
  readonly scheduleSpecs: string
  readonly scheduleState: string
  readonly scheduleNext: string
}

const keysOf = (params: ScheduleKeys) => [params.scheduleSpecs, params.scheduleState, params.scheduleNext]

/** Replies with the server's time in milliseconds, and the specification and state of each name; empty if there is none. */
export const readSchedules = define<ScheduleKeys & { readonly names: ReadonlyArray<string> }>({
  lua: `${luaNow}${luaInteger}local replies = { integer(now()) }
for _, name in ipairs(ARGV) do
  replies[#replies + 1] = redis.call('HGET', KEYS[1], name) or ''
  replies[#replies + 1] = redis.call('HGET', KEYS[2], name) or ''
end
return replies
`,
  keys: keysOf,
  args: (params) => params.names
})

/** The names of all schedules of a service. */
export const scheduleNames = define<ScheduleKeys>({
  lua: "return redis.call('HKEYS', KEYS[1])\n",
  keys: keysOf,
  args: () => []
})

/** Lua: sets when a schedule is due, or that it never is. */
const luaSetNext = `local function setNext(key, name, time)
  if time == '' then
    redis.call('ZREM', key, name)
  else
    redis.call('ZADD', key, time, name)
  end
end
`

/**
 * Replaces a schedule that is still as its caller has read it. Replies with 1, or 0 if another process has changed it.
 * An empty specification removes the schedule.
 */
export const writeSchedule = define<
  ScheduleKeys & {
    readonly name: string
    readonly specBefore: string
    readonly stateBefore: string
    readonly spec: string
    readonly state: string
    /** When it is due, in milliseconds; empty if never. */
    readonly due: string
  }
>({
  lua: `${luaSetNext}local specs, states, name = KEYS[1], KEYS[2], ARGV[1]
if (redis.call('HGET', specs, name) or '') ~= ARGV[2] or (redis.call('HGET', states, name) or '') ~= ARGV[3] then return 0 end
if ARGV[4] == '' then
  redis.call('HDEL', specs, name)
  redis.call('HDEL', states, name)
else
  redis.call('HSET', specs, name, ARGV[4])
  redis.call('HSET', states, name, ARGV[5])
end
setNext(KEYS[3], name, ARGV[6])
return 1
`,
  keys: keysOf,
  args: (params) => [params.name, params.specBefore, params.stateBefore, params.spec, params.state, params.due]
})

/**
 * Fires a schedule: appends its actions and moves on, if the version of its specification and its state are still those that
 * the caller has read. Replies with the entry ids, or nothing if another process was first. A full server refuses the first
 * append, and nothing has changed.
 */
export const fireSchedule = define<
  ScheduleKeys & {
    readonly stream: string
    readonly name: string
    readonly version: string
    readonly stateBefore: string
    readonly state: string
    readonly due: string
    readonly texts: ReadonlyArray<string>
  }
>({
  lua: `${luaSetNext}${luaEnter}local name, ids = ARGV[1], {}
if (redis.call('HGET', KEYS[1], name) or ''):match('^%S+') ~= ARGV[2] then return false end
if redis.call('HGET', KEYS[2], name) ~= ARGV[3] then return false end
for i = 6, #ARGV do ids[#ids + 1] = enter(redis.call, KEYS[4], ${luaFields({ data: "ARGV[i]" })}) end
redis.call('HSET', KEYS[2], name, ARGV[4])
setNext(KEYS[3], name, ARGV[5])
return ids
`,
  keys: (params) => [...keysOf(params), params.stream],
  args: (params) => [params.name, params.version, params.stateBefore, params.state, params.due, ...params.texts]
})

/** Records that a worker declares schedules in these versions, which come after their names. Other versions are not changed. */
export const renewSchedules = define<ScheduleKeys & { readonly versions: ReadonlyArray<readonly [string, string]> }>({
  lua: `${luaNow}${luaInteger}local time = integer(now())
for i = 1, #ARGV, 2 do
  local spec = redis.call('HGET', KEYS[1], ARGV[i])
  local version, rest = (spec or ''):match('^(%S+) declared %d+(.*)$')
  if version == ARGV[i + 1] then
    redis.call('HSET', KEYS[1], ARGV[i], version .. ' declared ' .. time .. rest)
  end
end
return time
`,
  keys: keysOf,
  args: (params) => params.versions.flat()
})
