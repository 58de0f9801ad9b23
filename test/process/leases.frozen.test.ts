/** A process that was stopped for longer than its lease, and wakes. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { bound, numbered, service, started } from "../support/jobs.ts"
import * as Server from "../support/redisServer.ts"

layer(Server.layer(), { excludeTestServices: true, timeout: 60_000 })("A process that wakes from SIGSTOP", (it) => {
  it.effect("starts none of the entries that another process ran while it was stopped", () =>
    Effect.gen(function*() {
      const server = yield* Server.RedisServer
      const jobs = service(server)
      const frozen = yield* jobs.start({ WORKER_CLAIM_IDLE: "1 second", WORKER_CONCURRENCY: "2" })
      yield* jobs.reading(1)
      yield* jobs.add("job.hold", numbered(0, 6))
      yield* frozen.linesOf(/@ started/, 2, started)
      const other = yield* jobs.start({ WORKER_CLAIM_IDLE: "1 second", WORKER_CONCURRENCY: "10" })
      yield* jobs.reading(2)
      yield* frozen.signal("SIGSTOP")
      yield* other.linesOf(/@ started/, 6, 30_000)
      yield* jobs.go
      yield* jobs.allDone
      yield* frozen.signal("SIGCONT")
      yield* frozen.line(/entries of .* were taken over/, 30_000)
      yield* other.signal("SIGTERM")
      yield* other.ended()
      yield* jobs.add("job.quick", ["b"])
      yield* frozen.line(/@ quick b/)
      assert.strictEqual(frozen.count(/@ started/), 2)
      assert.strictEqual(frozen.count(/are lost/), 0)
    }), bound)
})
