/**
 * Schedules: every change compares with what its caller has read, so that of several processes one wins, and each slot fires
 * once.
 */
import { luaEnter, luaFields } from "./enter.ts"
import { type LaneKeys, laneKeys } from "./laneKeys.ts"
import { luaLanes, maxLetIn } from "./lanes.ts"
import { luaRecords } from "./records.ts"
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

/** The lane of an action of a schedule, in which the slots of the schedule take turns. */
export interface Alone {
  readonly keys: LaneKeys
  readonly id: string
  readonly lane: string
  readonly rule: string
  readonly stateIfSkipped: string
}

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
 * the caller has read. Replies with the entry ids (empty for an action that waits in its lane; none if the slot was skipped), or
 * nothing if another process was first. A full server refuses the first
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
    /** For one action that may not run beside another of its schedule: its lane, its id, and the state if it is skipped. */
    readonly alone?: Alone | undefined
  }
>({
  lua: `${luaSetNext}${luaEnter}local name, ids, state = ARGV[1], {}, ARGV[4]
if (redis.call('HGET', KEYS[1], name) or ''):match('^%S+') ~= ARGV[2] then return false end
if redis.call('HGET', KEYS[2], name) ~= ARGV[3] then return false end
if #KEYS == 4 then
  for i = 6, #ARGV do ids[#ids + 1] = enter(redis.call, KEYS[4], ${luaFields({ data: "ARGV[i]" })}) end
else
  ${luaNow}${luaInteger}${luaRecords}${luaLanes}
  local id, lane, rule, text = ARGV[6], ARGV[7], ARGV[8], ARGV[10]
  local lanes = lanesOf(
    KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11], KEYS[12], now(), ${maxLetIn}
  )
  local status, detail = lanes.enter(lane, rule, id, false, ${luaFields({ data: "text", lane: "lane" })})
  if status == 'failed' then return redis.error_reply(detail) end
  if status == 'duplicate' then state = ARGV[9] else ids[1] = status == 'sent' and detail or '' end
end
redis.call('HSET', KEYS[2], name, state)
setNext(KEYS[3], name, ARGV[5])
return ids
`,
  keys: (params) =>
    params.alone === undefined
      ? [...keysOf(params), params.stream]
      : [...keysOf(params), ...laneKeys(params.alone.keys)],
  args: ({ alone, due, name, state, stateBefore, texts, version }) => [
    name,
    version,
    stateBefore,
    state,
    due,
    ...(alone === undefined ? [] : [alone.id, alone.lane, alone.rule, alone.stateIfSkipped]),
    ...texts
  ]
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
