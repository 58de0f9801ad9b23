/**
 * A worker of the chaos run. It writes what it does to a journal, synchronously, so that the journal is true up to the
 * moment at which the process is killed (see journal.ts).
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import { appendFileSync, openSync } from "node:fs"
import { Metrics, QueueNamingLayer, RedisLayer, RetryLater, SettingsLayer, Worker } from "../../src/index.ts"
import { Actions, Refused } from "./contract.ts"

const journal = openSync(process.env["CHAOS_JOURNAL"] ?? "/dev/null", "a")
const note = (line: string) => Effect.sync(() => appendFileSync(journal, `${line}\n`))

const handlers = Actions.handlers({
  "chaos.work": Effect.fnUntraced(function*({ fate, index }, { action, attempt, entryId }) {
    yield* note(`S ${entryId}`)
    if (fate === "slow") yield* Effect.sleep("20 millis")
    if (fate === "never" || (fate === "retry-once" && attempt === 1)) {
      return yield* new RetryLater()
    }
    yield* note(`D ${entryId} ${action.action_id}`)
    return fate === "refuse" ? yield* new Refused({ index }) : { index }
  })
})

/** What the run adds up at its end; a killed process has said it before. */
const report = Effect.gen(function*() {
  const lost = yield* Metric.value(Metric.withAttributes(Metrics.leasesLost, { service: "chaos" }))
  const refused = yield* Metric.value(Metric.withAttributes(Metrics.settlementsRefused, { service: "chaos" }))
  yield* note(`L ${lost.count} ${refused.count}`)
}).pipe(Effect.repeat(Schedule.spaced("250 millis")))

const program = Worker.start(handlers, { consumers: 2, concurrency: 50, retry: Schedule.spaced("200 millis") }).pipe(
  Effect.tap((worker) =>
    Effect.flatMap(worker.status, ({ consumers }) => Effect.forEach(consumers, ({ name }) => note(`C ${name}`)))
  ),
  // Whoever starts it waits for a first line.
  Effect.tap(Effect.sync(() => process.stdout.write("up\n"))),
  Effect.flatMap((worker) => Effect.raceFirst(worker.await, report)),
  Effect.scoped,
  Effect.provide(
    Layer.mergeAll(RedisLayer, QueueNamingLayer).pipe(
      Layer.provideMerge(SettingsLayer),
      Layer.provideMerge(Logger.layer([]))
    )
  )
)

NodeRuntime.runMain(program, { teardown: Worker.teardown, disableErrorReporting: true })
