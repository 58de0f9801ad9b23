/**
 * `npm run chaos`: everything that can be pulled is pulled, and then it is counted.
 *
 * A real server with `appendfsync always`, four worker processes, actions of which a third are requests. Every two
 * seconds a worker is killed with -9 and started again, one is frozen past its lease, the server is killed with -9
 * twice and started again, connections are cut. At the end nothing may be lost, pending or unresolved.
 *
 * `--quick` sends 10,000 actions instead of 100,000; `--actions n` and `--seed n` say otherwise. `--delayed n` sends so many
 * percent of the actions with a delay of up to five seconds (default 0); they are parked while everything breaks.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Ref from "effect/Ref"
import * as Result from "effect/Result"
import * as Runtime from "effect/Runtime"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { ActionClient, IoRedis, QueueNamingLayer, Settings } from "../../src/index.ts"
import { generator } from "../../src/internal/testing/generator.ts"
import * as processes from "../support/processes.ts"
import * as proxy from "../support/proxy.ts"
import * as redisServer from "../support/redisServer.ts"
import { Work } from "./contract.ts"
import * as journal from "./journal.ts"
import { failuresOf, lines } from "./report.ts"

const { values } = parseArgs({
  options: {
    quick: { type: "boolean" },
    actions: { type: "string" },
    seed: { type: "string" },
    delayed: { type: "string" }
  }
})
const total = Number(values.actions ?? (values.quick === true ? 10_000 : 100_000))
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))

/** Percent of the actions that are parked first. */
const delayed = Number(values.delayed ?? 0)

const claimIdle = 2_000
const workers = 4

/** The same faults for the same seed. */
const random = generator(seed)

const idOf = (index: number) => `00000000-0000-4000-8000-${index.toString(16).padStart(12, "0")}`

const fateOf = (index: number) =>
  index % 101 === 0
    ? "never"
    : index % 37 === 0
    ? "refuse"
    : index % 23 === 0
    ? "retry-once"
    : index % 7 === 0
    ? "slow"
    : "succeed"

/** How long an action waits before it is due, in milliseconds; `undefined` for one that is due at once. */
const delayOf = (index: number) => (index * 37) % 100 < delayed ? 200 + (index * 7_919) % 4_800 : undefined

const textOf = (path: string): string => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}

const stream = "chaos:test:chaos:streams:main"
const parkedDue = "chaos:test:chaos:parked:due"

const program = Effect.gen(function*() {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "chaos-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const server = yield* redisServer.start({ config: ["appendonly yes", "appendfsync always", "save \"\""] })
  const gate = yield* proxy.start(server.port)

  // ---------------------------------------------------------------------------
  // workers
  // ---------------------------------------------------------------------------

  let started = 0
  const startWorker = Effect.suspend(() => {
    const path = join(directory, `${started++}.log`)
    return Effect.map(
      processes.start("../chaos/worker", {
        env: {
          SERVICE_NAME: "chaos",
          ENVIRONMENT: "test",
          QUEUE_PREFIX: "chaos",
          REDIS_URL: gate.url,
          WORKER_CLAIM_IDLE: String(claimIdle / 1000),
          WORKER_BLOCK: "1",
          CHAOS_JOURNAL: path
        }
      }),
      (process) => ({ process, path })
    )
  })
  const running = yield* Effect.replicateEffect(startWorker, workers)

  // ---------------------------------------------------------------------------
  // faults
  // ---------------------------------------------------------------------------

  const counts = { kills: 0, runningAtKills: 0, freezes: 0, serverKills: 0, cuts: 0, repeated: 0, parked: 0 }
  const pick = () => Math.floor(random() * running.length)

  /** Entries whose handler had started and that were not settled when their process was killed. */
  const unsettledOf = Effect.fnUntraced(function*(path: string) {
    const { consumers, started } = journal.read(textOf(path))
    let unsettled = 0
    for (const consumer of consumers) {
      const rows = yield* Effect.orDie(server.cli("XPENDING", stream, "chaos-group", "-", "+", "10000", consumer))
      for (const row of Array.isArray(rows) ? rows : []) {
        if (Array.isArray(row) && started.has(String(row[0]))) unsettled++
      }
    }
    return unsettled
  })

  /** What a killed worker left is counted at a server that is up, and the next one starts with it. */
  const serverInUse = Semaphore.makeUnsafe(1)

  const killWorker = Effect.gen(function*() {
    const index = pick()
    const victim = running[index]
    if (victim === undefined) return
    yield* victim.process.signal("SIGKILL")
    yield* victim.process.ended()
    counts.kills++
    counts.runningAtKills += yield* unsettledOf(victim.path)
    running[index] = yield* startWorker
  }).pipe((effect) => serverInUse.withPermit(effect), Effect.uninterruptible)

  const freezeWorker = Effect.gen(function*() {
    const victim = running[pick()]
    if (victim === undefined) return
    yield* victim.process.signal("SIGSTOP")
    yield* Effect.sleep(claimIdle * 2)
    yield* victim.process.signal("SIGCONT")
    counts.freezes++
  }).pipe(Effect.uninterruptible)

  // A fault that has begun is carried through: the end of the run waits for it.
  const killServer = Effect.gen(function*() {
    yield* server.kill("SIGKILL")
    yield* Effect.sleep(500)
    yield* Effect.orDie(server.restart)
    counts.serverKills++
  }).pipe((effect) => serverInUse.withPermit(effect), Effect.uninterruptible)

  const cut = Effect.suspend(() => {
    counts.cuts++
    return gate.cut()
  })

  const faults = Effect.all([
    Effect.repeat(killWorker, Schedule.fixed("2 seconds")).pipe(Effect.delay("2 seconds")),
    Effect.repeat(cut, Schedule.fixed("4 seconds")).pipe(Effect.delay("3 seconds")),
    Effect.delay(freezeWorker, "2 seconds"),
    Effect.repeat(Effect.delay(killServer, "5 seconds"), { times: 1 })
  ], { concurrency: "unbounded", discard: true })

  // ---------------------------------------------------------------------------
  // sends
  // ---------------------------------------------------------------------------

  const services = yield* Layer.build(
    ActionClient.layer.pipe(
      Layer.provideMerge(Layer.mergeAll(IoRedis.layerOptions({ url: gate.url }), QueueNamingLayer)),
      Layer.provideMerge(Settings.layerOf({ serviceName: "chaos", environment: "test", queuePrefix: "chaos" }))
    )
  )
  const client = Context.get(services, ActionClient.ActionClient)
  const sent = yield* Ref.make(0)
  const answers = { answered: 0, failedTyped: 0, unresolved: 0 }

  /** Sends until Redis has it: the same id, so that a repeated send is the same action. */
  const sendOne = (index: number): Effect.Effect<void> =>
    client.send(Work, { index, fate: fateOf(index) }, { actionId: idOf(index), delay: delayOf(index) }).pipe(
      Effect.tap((receipt) =>
        Effect.sync(() => {
          if (receipt._tag !== "Sent") counts.parked++
        })
      ),
      Effect.catch(() =>
        Effect.suspend(() => {
          counts.repeated++
          return Effect.andThen(Effect.sleep(100), sendOne(index))
        })
      ),
      Effect.asVoid
    )

  const requestOne = (index: number): Effect.Effect<void> =>
    Effect.result(
      client.request(Work, { index, fate: fateOf(index) }, { actionId: idOf(index), timeout: "20 seconds" })
    ).pipe(
      Effect.flatMap((result) => {
        if (Result.isSuccess(result)) {
          if (result.success.index === index) answers.answered++
          else answers.unresolved++
          return Effect.void
        }
        if (result.failure._tag === "Refused" || result.failure._tag === "RemoteFailure") {
          answers.answered++
          return Effect.void
        }
        // The outcome is unknown: the caller has its typed failure, and the action is sent again under its id.
        answers.failedTyped++
        counts.repeated++
        return sendOne(index)
      })
    )

  const sending = yield* Effect.forEach(
    Array.from({ length: total }, (_, index) => index),
    (index) =>
      Effect.andThen(
        index % 3 === 0 && delayOf(index) === undefined ? requestOne(index) : sendOne(index),
        Ref.update(sent, (count) => count + 1)
      ),
    { concurrency: 300, discard: true }
  ).pipe(Effect.forkScoped)
  const breaking = yield* Effect.forkScoped(faults)
  const progress = yield* Effect.forkScoped(Effect.forever(Effect.gen(function*() {
    yield* Effect.sleep(5_000)
    process.stdout.write(
      `sent ${yield* Ref.get(sent)} of ${total}, ${counts.kills} workers and ${counts.serverKills} servers killed\n`
    )
  })))

  yield* Fiber.join(sending)
  // A short run must see every fault too.
  yield* Effect.sleep(500).pipe(
    Effect.repeat({ until: () => counts.serverKills >= 2 && counts.freezes >= 1 && counts.kills >= 3 })
  )
  yield* Fiber.interrupt(breaking)

  // ---------------------------------------------------------------------------
  // the end
  // ---------------------------------------------------------------------------

  const pending = Effect.map(
    Effect.all([
      // First: what is promoted between the commands is counted in the stream.
      server.cli("ZCARD", parkedDue),
      server.cli("XPENDING", stream, "chaos-group"),
      server.cli("XLEN", stream)
    ]),
    ([parked, summary, length]) =>
      Math.max(Number(Array.isArray(summary) ? summary[0] : 0), Number(length)) + Number(parked)
  )
  let left = yield* Effect.orDie(pending)
  for (let tries = 0; left > 0 && tries < 240; tries++) {
    yield* Effect.sleep(250)
    left = yield* Effect.orDie(pending)
  }
  yield* Fiber.interrupt(progress)
  const dead = yield* Effect.orDie(server.cli("XRANGE", "chaos:test:chaos:streams:dead", "-", "+"))
  const deadIds = new Set(
    (Array.isArray(dead) ? dead : []).flatMap((row) => {
      const fields = Array.isArray(row) && Array.isArray(row[1]) ? row[1].map(String) : []
      return fields[fields.indexOf("action_id") + 1] ?? []
    })
  )
  const all = journal.merge(
    Array.from({ length: started }, (_, index) => journal.read(textOf(join(directory, `${index}.log`))))
  )
  const ids = Array.from({ length: total }, (_, index) => idOf(index))
  const summary = {
    seed,
    sent: total,
    handled: ids.filter((id) => all.handled.has(id)).length,
    handledTwice: [...all.handled.values()].reduce((sum, times) => sum + times - 1, 0),
    ...answers,
    deadLettered: deadIds.size,
    pending: left,
    lost: ids.filter((id) => !all.handled.has(id) && !deadIds.has(id)).length,
    leasesLostByRenewal: all.leasesLost,
    leasesLostBySettlement: all.settlementsRefused,
    ...counts
  }
  const failures = failuresOf(summary)
  process.stdout.write(
    `${lines(summary).join("\n")}\n${failures.join("\n")}${failures.length === 0 ? "Nothing was lost.\n" : "\n"}`
  )
  if (failures.length > 0) process.exitCode = 1
})

NodeRuntime.runMain(Effect.scoped(program).pipe(Effect.provide(Logger.layer([]))), {
  teardown: (exit, onExit) =>
    Runtime.defaultTeardown(exit, (code) => onExit(code === 0 ? Number(process.exitCode ?? 0) : code))
})
