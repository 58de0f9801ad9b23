/** What letting in very many parked actions costs the server, call by call. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { withDue } from "../support/parked.ts"
import type * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"

/** The longest time that one call may keep the server, in microseconds. */
const most = 5_000

/** The calls of scripts that took longer, from the server's log of slow commands, in microseconds. */
const slowCalls = Effect.fnUntraced(function*(server: Server.Server) {
  const rows = (yield* server.cli("SLOWLOG", "GET", "-1")) as ReadonlyArray<
    readonly [id: number, at: number, micros: number, command: ReadonlyArray<string>]
  >
  return rows.filter(([, , , [name]]) => /^eval/i.test(name ?? "")).map(([, , micros]) => micros)
})

describe("100,000 parked actions that are due at once", () => {
  it.live("enter the stream in calls that take the server at most 5 ms each", () =>
    Effect.gen(function*() {
      const { keys, world } = yield* withDue(100_000)
      const { names, server } = world
      yield* server.cli("CONFIG", "SET", "slowlog-log-slower-than", most)
      yield* server.cli("CONFIG", "SET", "slowlog-max-len", "100000")
      yield* server.cli("SLOWLOG", "RESET")
      yield* world.startWorker({ concurrency: 200, readAhead: 200 })
      yield* until("none is parked", Effect.map(server.cli("ZCARD", names.parkedDue), (left) => left === 0), 240_000)
      const slow = yield* slowCalls(server)
      yield* until("all ran", Effect.sync(() => world.handled.size === keys.length), 240_000)
      // 1,000 calls let them in. The log counts the time for which another process has the server's core, too.
      assert.isAtMost(slow.length, 5, `calls over ${most} µs: ${slow.join(", ")}`)
    }), 600_000)
})
