/** A service with a very large backlog, written by scripts at the server, and what calls take there. */
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import { setPriority } from "node:os"
import type { Names } from "../../src/internal/redis/names.ts"
import { libraryScripts } from "./libraryScripts.ts"
import type * as Server from "./redisServer.ts"

export interface Sizes {
  readonly entries: number
  /** How many of the entries consumers that are gone hold, and how many wait for a retry. */
  readonly held: number
  readonly retrying: number
  readonly letters: number
  readonly parked: number
}

/** Entries that one call of these scripts writes. */
const chunk = 5_000

/** Consumers that hold entries. */
const consumers = 200

const textOf = `local function textOf(i, id)
  return '{"action_id":"' .. id .. '","action_type":"user.t' .. i % 20 .. '","timestamp":"2026-06-29T04:03:00.123456Z",' ..
    '"data":{"n":' .. i .. ',"note":"' .. string.rep('x', 100) .. '"},"metadata":null}'
end
local function idOf(kind, i) return string.format('%08d-0000-4000-8000-%012d', kind, i) end
`

const addEntries = `${textOf}
for i = ARGV[1], ARGV[2] do redis.call('XADD', KEYS[1], '*', 'data', textOf(i, idOf(1, i))) end`

const addLetters = `${textOf}
for i = ARGV[1], ARGV[2] do
  redis.call('XADD', KEYS[1], '*', 'action_id', idOf(2, i), 'action_type', 'user.t' .. i % 20, 'attempts', '5', 'deliveries', '5',
    'hops', '0', 'reason', i % 2 == 0 and 'exhausted' or 'rejected', 'error_type', 'Error' .. i % 7, 'error_code', '',
    'message', 'failed ' .. i, 'entry_id', '1-' .. i, 'group', 'g', 'consumer', 'c', 'time', '1', 'fields', '1',
    'data', textOf(i, idOf(2, i)))
end`

const addParked = `${textOf}
local time = tonumber(redis.call('TIME')[1]) * 1000
local function packed(text) return #text .. ':' .. text end
for i = ARGV[1], ARGV[2] do
  local id = idOf(3, i)
  redis.call('HSET', KEYS[1], id, '\\n' .. packed('data') .. packed(textOf(i, id)))
  redis.call('ZADD', KEYS[2], string.format('%.0f', time + 36e5 + i), id)
end`

const readFor = `for i = ARGV[3], ARGV[4] do
  redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2] .. i % ${consumers}, 'COUNT', 1, 'STREAMS', KEYS[1], '>')
end`

const makeWait = `local time = tonumber(redis.call('TIME')[1]) * 1000
local streams = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', ARGV[4] - ARGV[3] + 1, 'STREAMS', KEYS[1], '>')
for i, entry in ipairs(streams[1][2]) do
  redis.call('ZADD', KEYS[2], string.format('%.0f', time + 36e5 + ARGV[3] + i), entry[1])
  redis.call('HSET', KEYS[3], entry[1], '1 1 0  0 Error the provider is down')
end`

/** Writes the backlog. The first entries are held, the next ones wait for a retry, and the others were not delivered. */
export const fill = Effect.fnUntraced(function*(server: Server.Server, names: Names, sizes: Sizes) {
  const inChunks = Effect.fnUntraced(
    function*(lua: string, keys: ReadonlyArray<string>, count: number, ...args: ReadonlyArray<string>) {
      for (let from = 1; from <= count; from += chunk) {
        const to = Math.min(from + chunk - 1, count)
        yield* server.cli("EVAL", lua, keys.length, ...keys, ...args, from, to)
      }
    }
  )
  yield* server.cli("XGROUP", "CREATE", names.stream, names.group, "0", "MKSTREAM")
  yield* server.cli("HSET", names.features, "parked", "1", "unique", "1", "lanes", "1")
  yield* inChunks(addEntries, [names.stream], sizes.entries)
  yield* inChunks(readFor, [names.stream], sizes.held, names.group, "user-worker-gone-")
  const waiting = [names.stream, names.retryDue, names.retryRecords]
  yield* inChunks(makeWait, waiting, sizes.retrying, names.group, names.waitingConsumer)
  yield* inChunks(addLetters, [names.deadLetters], sizes.letters)
  yield* inChunks(addParked, [names.parkedEntries, names.parkedDue], sizes.parked)
})

/** The id of an action that {@link fill} wrote. */
export const actionId = (kind: "entry" | "letter" | "parked", number: number): string =>
  `0000000${{ entry: 1, letter: 2, parked: 3 }[kind]}-0000-4000-8000-${String(number).padStart(12, "0")}`

/** Shorter calls are not logged, in microseconds. A script's own commands are logged, too. */
const shortest = 100

type SlowRow = readonly [id: number, at: number, micros: number, command: ReadonlyArray<string>]

const asks = /^(slowlog|config|info|eval)$/i

/** Gives the server the processor before others, where this process may: the log counts time in which it waits for one. */
const first = (server: Server.Server) =>
  Effect.ignore(Effect.try({ try: () => setPriority(server.pid(), -20), catch: () => undefined }))

/** Logs every call over a length, in microseconds, and returns those of the library when it is run again. */
export const logging = Effect.fnUntraced(function*(server: Server.Server, over: number) {
  const names = new Map(libraryScripts.map(({ lua, name }) => [createHash("sha1").update(lua).digest("hex"), name]))
  yield* first(server)
  yield* server.cli("CONFIG", "SET", "slowlog-log-slower-than", over)
  yield* server.cli("CONFIG", "SET", "slowlog-max-len", "50000")
  yield* server.cli("SLOWLOG", "RESET")
  return Effect.map(
    server.cli("SLOWLOG", "GET", "-1"),
    (rows) =>
      (rows as ReadonlyArray<SlowRow>).filter(([, , , words]) => !asks.test(words[0]!)).map(([, , micros, words]) => ({
        millis: micros / 1_000,
        what: /^evalsha$/i.test(words[0]!) ? names.get(words[1]!) ?? words[1]! : words[0]!.toLowerCase()
      }))
  )
})

/**
 * Runs operations several times and returns the longest call of each in milliseconds, by the server's own log of slow commands, which
 * times each call without the network.
 *
 * The log also counts the time for which another process has the server's core, and a call that takes too long does so every
 * time. So a call counts with its shortest time, as often as it is repeated with the same arguments, and an operation with
 * its best round.
 */
export const measuring = Effect.fnUntraced(function*(server: Server.Server) {
  yield* first(server)
  yield* server.cli("CONFIG", "SET", "slowlog-log-slower-than", shortest)
  yield* server.cli("CONFIG", "SET", "slowlog-max-len", "50000")
  return Effect.fnUntraced(function*<E, R>(rounds: number, operation: (round: number) => Effect.Effect<unknown, E, R>) {
    const logs: Array<ReadonlyArray<readonly [call: string, millis: number]>> = []
    const best = new Map<string, number>()
    for (let round = 0; round < rounds; round++) {
      yield* server.cli("SLOWLOG", "RESET")
      yield* operation(round)
      const rows = (yield* server.cli("SLOWLOG", "GET", "-1")) as ReadonlyArray<SlowRow>
      const calls = rows.filter(([, , , words]) => !asks.test(words[0]!)).map(([, , micros, words]) =>
        [words.join(" "), micros / 1_000] as const
      )
      for (const [call, millis] of calls) best.set(call, Math.min(millis, best.get(call) ?? Infinity))
      logs.push(calls)
    }
    return Math.min(...logs.map((calls) => Math.max(0, ...calls.map(([call]) => best.get(call)!))))
  })
})
