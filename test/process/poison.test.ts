/**
 * A handler that kills its process: it ends as a dead letter, and nobody else does.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { bound, idsOf, numbered, service } from "../support/jobs.ts"
import * as Server from "../support/redisServer.ts"
import { until } from "../support/until.ts"

const inFlight = { WORKER_CONCURRENCY: "200", WORKER_CLAIM_IDLE: "300 millis" }

const innocents = numbered(0, 100)

layer(Server.layer(), { excludeTestServices: true, concurrent: true, timeout: 60_000 })("Poison", (it) => {
  for (
    // Two deliveries are shared with all others in flight; from the third on a suspect runs alone. Ten, then no more.
    const { deaths, env, killer, line, nodeArgs, what } of [
      { what: "process.exit", killer: "job.exit", line: /@ exiting/, deaths: 10, env: {}, nodeArgs: [] },
      {
        what: "the use of all memory",
        killer: "job.oom",
        line: /@ filling/,
        deaths: 4,
        env: { WORKER_MAX_DELIVERIES: "4" },
        nodeArgs: ["--max-old-space-size=96"]
      }
    ]
  ) {
    it.effect(
      `by ${what} ends as a dead letter, and none of a hundred in flight beside it does`,
      () =>
        Effect.gen(function*() {
          const server = yield* Server.RedisServer
          const jobs = service(server)
          const list = `nooble4:dev:client:responses:job:${jobs.name}`
          const sendInnocent = (id: string) => jobs.send("job.slow", id, { data: { ms: 15 } })
          yield* Effect.forEach(innocents.slice(0, 50), sendInnocent)
          const killerId = yield* jobs.send(killer, "killer", { data: { ms: 5 }, list })
          yield* Effect.forEach(innocents.slice(50), sendInnocent)

          const lines: Array<string> = []
          let deathsSeen = 0
          // Somebody starts it again, whenever it dies.
          while (deathsSeen <= deaths + 2) {
            const program = yield* jobs.start({ ...inFlight, ...env }, nodeArgs)
            yield* until(
              "it died, or all is done",
              // Not so often that the watching is what keeps the machine busy.
              Effect.map(Effect.delay(jobs.length, "50 millis"), (length) => length === 0 || !program.isRunning()),
              60_000
            )
            lines.push(...program.lines())
            if (program.isRunning()) break
            deathsSeen++
          }
          assert.strictEqual(deathsSeen, deaths)
          assert.strictEqual(lines.filter((found) => line.test(found)).length, deaths)

          const letters = yield* jobs.deadLetters
          assert.lengthOf(letters, 1)
          assert.deepInclude(letters[0], {
            reason: "poison",
            entry_id: killerId,
            action_type: killer,
            deliveries: String(deaths + 1)
          })
          assert.deepNestedInclude(JSON.parse(letters[0]!["data"]!), { data: { id: "killer", ms: 5 } })
          const ended = new Set(idsOf(lines.filter((found) => found.startsWith("@ ended"))))
          assert.deepStrictEqual([...ended].sort(), innocents)

          // Whoever asked for it is told.
          const answer = JSON.parse(String(yield* server.cli("RPOP", list))) as { success: boolean; error: object }
          assert.isFalse(answer.success)
          assert.deepInclude(answer.error, { error_type: "Poison", error_code: "POISON_ACTION" })
          assert.strictEqual(yield* server.cli("EXISTS", list), 0)
        }),
      bound
    )
  }
})
