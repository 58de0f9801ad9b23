/**
 * Workers with lanes that crash, are cut off and drain at random times. A ledger outside of Redis writes down what the handlers
 * did: it says whether the order of a key was kept, and whether something ran beside it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import { RetryLater } from "../../src/HandlerError.ts"
import { namesOf } from "../../src/internal/redis/names.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Redis from "../../src/Redis.ts"
import * as RedisMemory from "../../src/RedisMemory.ts"
import * as Settings from "../../src/Settings.ts"
import * as RedisFaults from "../../src/testing/RedisFaults.ts"
import * as Worker from "../../src/Worker.ts"
import { chanceOf } from "../scripts/chance.ts"

const keys = ["a", "b", "c"] as const

const Step = (concurrency: number) =>
  Action.make("work.step", { payload: { key: Schema.String, n: Schema.Number } }).pipe(
    Action.lane(({ key }) => key, { concurrency })
  )

interface Done {
  readonly key: string
  readonly n: number
}

const run = Effect.fnUntraced(function*(seed: number, concurrency: number) {
  const chance = chanceOf(seed)
  const contract = Step(concurrency)
  const settings = yield* Effect.fromResult(Settings.make({ serviceName: "work", block: 500 }))
  const naming = QueueNaming.make({ prefix: settings.queuePrefix, environment: settings.environment })
  const names = namesOf(naming, "work")
  const server = yield* RedisMemory.makeServer
  const admin = yield* RedisMemory.makeClient(server)
  const faultsNow: Array<string> = []
  const done: Array<Done> = []
  /** The fences that the ledger has seen, so that it refuses a frozen process. */
  const fences = new Map<string, number>()
  const running = new Map<string, Set<string>>()
  const broken: Array<string> = []

  const provided = <A, E, R>(effect: Effect.Effect<A, E, R>, redis: Redis.Redis["Service"]) =>
    effect.pipe(
      Effect.provideService(Redis.Redis, redis),
      Effect.provideService(QueueNaming.QueueNaming, naming),
      Effect.provideService(Settings.Settings, settings)
    )

  const startProcess = Effect.fnUntraced(function*(name: string) {
    const scope = yield* Scope.make()
    const { faults, redis } = yield* RedisFaults.make(yield* Scope.provide(RedisMemory.makeClient(server), scope), {
      seed: chance.below(1_000)
    })
    const dead = Latch.makeUnsafe(false)
    let isDead = false
    const handlers = ActionGroup.make(contract).handlers({
      "work.step": ({ key, n }, { deliveries, entryId }) =>
        Effect.gen(function*() {
          if (isDead) return yield* Effect.interrupt
          const mine = `${name} ${entryId} ${deliveries}`
          const all = running.get(key) ?? new Set<string>()
          running.set(key, all)
          all.add(mine)
          if (all.size > concurrency) broken.push(`${key}: ${[...all].join(", ")} run at once`)
          const missing = concurrency > 1 ?
            undefined :
            Array.from({ length: n }, (_, m) => m).find((m) =>
              !done.some((other) => other.key === key && other.n === m)
            )
          if (missing !== undefined) broken.push(`${key}: ${n} started before ${missing} had ended`)
          const ended = Effect.sync(() => all.delete(mine))
          yield* Effect.gen(function*() {
            yield* Effect.sleep(chance.below(120))
            if (chance.oneIn(6)) return yield* new RetryLater({ after: chance.below(100) })
            const seen = fences.get(entryId) ?? 0
            if (deliveries < seen) return
            fences.set(entryId, deliveries)
            done.push({ key, n })
          }).pipe(
            (effect) => Effect.raceFirst(effect, Effect.andThen(dead.await, Effect.interrupt)),
            Effect.ensuring(ended)
          )
        })
    })
    yield* provided(
      Worker.start(handlers, {
        block: "500 millis",
        claimIdle: "1500 millis",
        concurrency: 6,
        readAhead: 4,
        shutdownGrace: "300 millis",
        maxAttempts: 50,
        maxDeliveries: 50,
        retry: Schedule.spaced("20 millis"),
        consumerSuffix: name
      }),
      redis
    ).pipe(Effect.provideService(Scope.Scope, scope), Effect.forkDetach)
    const end = Effect.forkDetach(Scope.close(scope, Exit.void))
    return {
      faults,
      crash: Effect.suspend(() => {
        isDead = true
        for (const all of running.values()) for (const run of all) if (run.startsWith(`${name} `)) all.delete(run)
        dead.openUnsafe()
        return Effect.andThen(faults.cut, end)
      }),
      stop: end
    }
  })

  let next = 0
  const processes = [yield* startProcess(`p${next++}`), yield* startProcess(`p${next++}`)]
  yield* TestClock.adjust("50 millis")
  const client = yield* provided(ActionClient.make(), admin)
  const counts = new Map<string, number>()
  let total = 0
  for (let round = 0; round < 60; round++) {
    const key = chance.pick(keys)
    for (let times = chance.below(3); times >= 0; times--) {
      const n = counts.get(key) ?? 0
      yield* client.send(contract, { key, n })
      counts.set(key, n + 1)
      total++
    }
    if (chance.oneIn(6)) {
      const which = chance.below(processes.length)
      const process = processes[which]!
      const fault = chance.pick(["crash", "crash", "stop", "disconnect"])
      faultsNow.push(`${round}: ${fault}`)
      if (fault === "disconnect") {
        yield* process.faults.disconnect
      } else {
        yield* fault === "crash" ? process.crash : process.stop
        processes[which] = yield* startProcess(`p${next++}`)
      }
    }
    yield* TestClock.adjust(chance.below(150))
  }
  const left = Effect.gen(function*() {
    const sizes: Array<number> = []
    for (const key of [names.lanesHeld, names.lanesWaiting, names.parkedDue]) {
      sizes.push(Number(yield* admin.send("ZCARD", key)))
    }
    sizes.push(Number(yield* admin.send("HLEN", names.parkedEntries)), Number(yield* admin.send("XLEN", names.stream)))
    return sizes
  })
  for (let turn = 0; turn < 1_500 && (yield* left).some((size) => size > 0); turn++) {
    yield* TestClock.adjust("100 millis")
  }
  for (const process of processes) yield* process.stop
  yield* TestClock.adjust("5 seconds")
  const story = `seed ${seed}, concurrency ${concurrency}, faults ${faultsNow.join(", ")}`
  assert.deepStrictEqual(broken, [], story)
  assert.deepStrictEqual(yield* left, [0, 0, 0, 0, 0], story)
  const seen = new Set(done.map(({ key, n }) => `${key}${n}`))
  assert.strictEqual(seen.size, total, `lost: ${story}`)
  assert.strictEqual(Number(yield* admin.send("XLEN", names.deadLetters)), 0, story)
  if (concurrency > 1) return
  for (const key of keys) {
    const firsts = done.filter((one, index) =>
      one.key === key && done.findIndex((other) => other.key === key && other.n === one.n) === index
    )
    assert.deepStrictEqual(firsts.map(({ n }) => n), firsts.map((_, index) => index), `order of ${key}: ${story}`)
  }
})

const seeds = Number(process.env["LANES_SEEDS"] ?? 6)

describe("lanes under crashes", () => {
  for (let seed = 1; seed <= seeds; seed++) {
    it.effect(
      `keep the order of a key, one at a time, and lose nothing (seed ${seed})`,
      () => Effect.scoped(run(seed, 1)),
      60_000
    )
  }
  for (let seed = 101; seed < 101 + seeds / 2; seed++) {
    it.effect(
      `run never more than three of a key at once, and lose nothing (seed ${seed})`,
      () => Effect.scoped(run(seed, 3)),
      60_000
    )
  }
})
