/**
 * `npm run bench`: this library beside its rivals, on a Redis server of its own.
 *
 * Every round runs each case once, in an order that rotates, each system in a process of its own. The last full run is
 * kept in `results.json` and `results.svg`.
 *
 * Options: `--quick` (does it all work? under a minute, keeps nothing), `--only <scenario>`, `--rounds <n>`,
 * `--system <part of its name>`, `--profile <folder>` (a CPU profile of every process), `--against <folder>` (measures the
 * CPU an action of another checkout's library too, in the same rounds).
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import { writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import * as RedisServer from "../test/support/redisServer.ts"
import * as Bench from "./harness/bench.ts"
import * as effectMq from "./harness/effectMq.ts"
import { machine, versions } from "./harness/machine.ts"
import { pictureOf } from "./harness/picture.ts"
import { type Result, resultsOf, tableOf } from "./harness/results.ts"
import type { Numbers, Scenario, Size } from "./harness/scenario.ts"
import { cpuDrain, cpuRequest } from "./scenarios/cpu.ts"
import { delayed } from "./scenarios/delayed.ts"
import { drain } from "./scenarios/drain.ts"
import { growths } from "./scenarios/growth.ts"
import { requestFifty, requestOne, requestThousand } from "./scenarios/request.ts"
import { consumers, processes } from "./scenarios/scaling.ts"
import { send } from "./scenarios/send.ts"
import { startUp } from "./scenarios/startUp.ts"
import { waiting } from "./scenarios/waiting.ts"

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    rounds: { type: "string" },
    system: { type: "string", default: "" },
    profile: { type: "string" },
    against: { type: "string" }
  }
})

const against = options.against === undefined ? undefined : resolve(options.against)

const scenariosOf = (size: Size): ReadonlyArray<Scenario> => [
  cpuDrain(size, against),
  cpuRequest(size, against),
  delayed(size),
  drain(size),
  requestOne(size),
  requestFifty(size),
  requestThousand(size),
  send(size),
  waiting(size),
  ...growths(size),
  consumers(size),
  processes(size),
  startUp(size)
]

const roundsOf = (scenario: Scenario): number =>
  options.rounds === undefined ? options.quick ? 1 : scenario.rounds : Number(options.rounds)

/** All rounds of a scenario. */
const measure = async (scenario: Scenario, bench: Bench.Bench): Promise<Array<Result>> => {
  const numbers = new Map<string, Array<Numbers>>(scenario.cases.map(({ system }) => [system, []]))
  const rounds = roundsOf(scenario)
  for (let round = 0; round < rounds; round++) {
    const first = round % scenario.cases.length
    for (const next of [...scenario.cases.slice(first), ...scenario.cases.slice(0, first)]) {
      if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${scenario.name} ${round + 1}/${rounds}: ${next.system}`)
      numbers.get(next.system)!.push(await next.run(bench))
    }
  }
  if (process.stdout.isTTY) process.stdout.write("\r\x1b[K")
  return resultsOf(scenario, numbers)
}

/** What the picture shows, one panel each. */
const isShown = (scenario: string): boolean =>
  scenario.startsWith("drain a backlog") || scenario.startsWith("handlers that wait") || scenario.endsWith("in flight")

const compare = async (bench: Bench.Bench): Promise<void> => {
  const scenarios = scenariosOf({ quick: options.quick, effectMq: effectMq.isThere(!options.quick) })
    .filter((scenario) => options.only === undefined || scenario.name === options.only)
    .map((scenario) => ({ ...scenario, cases: scenario.cases.filter(({ system }) => system.includes(options.system)) }))
  if (scenarios.length === 0) throw new Error(`There is no scenario ${options.only}`)
  const results: Array<Result> = []
  for (const scenario of scenarios) {
    const some = await measure(scenario, bench)
    process.stdout.write(`${tableOf(some)}\n\n`)
    results.push(...some)
  }
  // Figures of a part, or of a few messages, would replace those that are worth keeping.
  if (options.quick || options.only !== undefined || options.system !== "") return

  const about = { machine: machine(), versions: await versions(bench.redis, Bench.effectMqFile) }
  writeFileSync(
    join(import.meta.dirname, "results.json"),
    `${JSON.stringify({ ...about, rounds: options.rounds ?? "5 (drain: 9)", results }, null, 2)}\n`
  )
  const panels = [...Map.groupBy(results.filter((result) => isShown(result.scenario)), (result) => result.scenario)]
  writeFileSync(
    join(import.meta.dirname, "results.svg"),
    pictureOf(
      panels.map(([, panel]) => panel),
      [
        `600-byte actions. ${about.machine.cores} cores (${about.machine.cpu}), Node ${about.versions.node}, ${about.versions.server}.`,
        "Bar: median of the rounds; line: all rounds; ×: beside the hand-written loop."
      ]
    )
  )
}

const program = Effect.scoped(Effect.gen(function*() {
  const server = yield* RedisServer.start()
  const bench = yield* Effect.acquireRelease(
    Effect.sync(() => Bench.make({ url: server.url, profiles: options.profile })),
    (bench) => Effect.sync(bench.close)
  )
  yield* Effect.promise(() => compare(bench))
}))

NodeRuntime.runMain(program)
