/** The example of a nightly report, whose nights are seconds here. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Processes from "../support/processes.ts"
import { layer as serverLayer, RedisServer, uniquePrefix } from "../support/redisServer.ts"

const timeout = 150_000
const within = 60_000

layer(serverLayer(), { excludeTestServices: true })("nightly-report", (it) => {
  it.effect("makes each report once, tells the next nights, and ends with status 0", () =>
    Effect.gen(function*() {
      const { url } = yield* RedisServer
      const env = {
        NO_COLOR: "1",
        REDIS_URL: url,
        SERVICE_NAME: "reports",
        ENVIRONMENT: uniquePrefix(),
        REPORT_CRON: "* * * * * *"
      }
      const worker = yield* Processes.start("../../examples/nightly-report/worker", { env })
      const lines = yield* worker.linesOf(/Made the report of \S+ for north/, 3, within)
      assert.match(lines[0]!, /report of 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.000\+0[12]:00\[Europe\/Berlin\] for north/)
      const nights = lines.map((line) => /report of (\S+)/.exec(line)![1])
      assert.strictEqual(new Set(nights).size, nights.length)

      const operate = yield* Processes.start("../../examples/nightly-report/operate", { env })
      assert.deepStrictEqual(yield* operate.ended(within), { status: 0, signal: null }, operate.lines().join("\n"))
      const said = operate.lines().join("\n")
      assert.match(said, /^nightly \(declared\): \* \* \* \* \* \* \(Europe\/Berlin\), sent \d+ times$/m)
      assert.strictEqual(operate.count(/^next: 20\d\d-.*Z$/), 3)

      yield* worker.signal("SIGTERM")
      assert.deepStrictEqual(yield* worker.ended(within), { status: 0, signal: null }, worker.lines().join("\n"))
    }), timeout)
})
