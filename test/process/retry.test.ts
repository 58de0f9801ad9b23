/** Attempts and due times are kept at the server: they survive every process. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as DomainAction from "../../src/DomainAction.ts"
import { namesOf } from "../../src/internal/redis/names.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Processes from "../support/processes.ts"
import * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"

const naming = QueueNaming.make({ prefix: "nooble4", environment: "dev" })

describe("attempts and due times on a server", () => {
  it.live("survive the crash and the deploy of every process", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      const names = namesOf(naming, "retry")
      const start = Processes.start("retry", {
        env: { REDIS_URL: server.url, SERVICE_NAME: "retry", WORKER_BLOCK: "1 second" }
      })
      const action = DomainAction.make({
        action_id: "00000000-0000-4000-8000-000000000001",
        action_type: "retry.twice",
        timestamp: "2025-06-29T04:03:00.123456Z",
        data: { ms: 3_000 }
      })
      yield* server.cli("XADD", names.stream, "*", "data", DomainAction.encode(action))
      const waiting = Effect.map(
        server.cli("ZRANGE", names.retryDue, 0, -1, "WITHSCORES"),
        (reply) => Number((reply as ReadonlyArray<string>)[1] ?? 0)
      )
      const isWaiting = (within?: number) => until("it waits", Effect.map(waiting, (due) => due > 0), within)
      const attemptOf = (line: string) => /attempt (\d) delivery (\d) at (\d+)/.exec(line)!.slice(1).map(Number)

      const first = yield* start
      const attempts = [attemptOf(yield* first.line(/attempt 1/))]
      yield* isWaiting()
      const due = yield* waiting
      yield* first.signal("SIGKILL")
      yield* first.ended()
      assert.strictEqual(yield* waiting, due)

      const second = yield* start
      attempts.push(attemptOf(yield* second.line(/attempt 2/)))
      yield* isWaiting()
      const dueAgain = yield* waiting
      yield* second.signal("SIGTERM")
      assert.deepStrictEqual(yield* second.ended(), { status: 0, signal: null })
      assert.strictEqual(yield* waiting, dueAgain)

      const third = yield* start
      attempts.push(attemptOf(yield* third.line(/attempt 3/)))
      yield* until("it is done", Effect.map(server.cli("XLEN", names.stream), (length) => length === 0))
      assert.deepStrictEqual(attempts.map(([attempt, deliveries]) => [attempt, deliveries]), [[1, 1], [2, 2], [3, 3]])
      assert.isAtLeast(attempts[1]![2]!, due)
      assert.isAtLeast(attempts[2]![2]!, dueAgain)
      assert.strictEqual(yield* server.cli("EXISTS", names.retryDue, names.retryRecords), 0)
    }), 90_000)
})
