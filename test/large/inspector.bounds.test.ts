/**
 * What reads and verbs of an operator cost a server with a very large backlog: no call may keep it for more than 20 ms.
 *
 * `INSPECTED=10` divides the sizes, to try the file itself.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionClient from "../../src/ActionClient.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as Inspector from "../../src/Inspector.ts"
import { namesOf } from "../../src/internal/redis/names.ts"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Schedules from "../../src/Schedules.ts"
import * as Settings from "../../src/Settings.ts"
import { actionId, fill, measuring } from "../support/backlog.ts"
import * as Server from "../support/redisServer.ts"

const divisor = Number(process.env["INSPECTED"] ?? 1)
const sizes = {
  entries: 1_000_000 / divisor,
  held: 100_000 / divisor,
  retrying: 100_000 / divisor,
  letters: 100_000 / divisor,
  parked: 100_000 / divisor
}

/** Actions that wait in their lanes, a hundred lanes. */
const queued = 20_000 / divisor

/** The longest time that one call may keep the server, in milliseconds. */
const most = 20

/** Reads run this often, and verbs, whose calls differ each time, more often: see `measuring`. */
const rounds = { read: 4, verb: 8 }

const Note = Schema.Struct({ n: Schema.Int, note: Schema.String })
const Contracts = ActionGroup.make(Action.make("user.t1", { payload: Note.fields }), Action.make("user.t2"))
const Laned = Action.make("user.laned", { payload: { n: Schema.Int } }).pipe(Action.lane(({ n }) => `k${n % 100}`))
const Tick = Action.make("user.t1", { payload: Note.fields })

const world = Effect.gen(function*() {
  const server = yield* Server.start()
  const names = namesOf(QueueNaming.make({ prefix: "nooble4", environment: "dev" }), "user")
  yield* fill(server, names, sizes)
  const context = yield* Layer.build(
    Layer.mergeAll(IoRedis.layerOptions({ url: server.url }), QueueNaming.layer).pipe(
      Layer.provideMerge(Settings.layerOf({ serviceName: "user" }))
    )
  )
  const inspector = yield* Effect.provideContext(
    Inspector.make({ contracts: Contracts, services: ["user"] }),
    context
  )
  const client = yield* Effect.provideContext(ActionClient.make(), context)
  yield* client.sendMany(Laned, Array.from({ length: queued }, (_, n) => ({ n })))
  return { client, inspector, measure: yield* measuring(server), names, server }
})

type World = Effect.Success<typeof world>

/** All pages of a list up to a number, each in a call of its own. */
const pagesOf = Effect.fnUntraced(
  function*({ inspector }: World, state: Inspector.State, pages: number, options: Inspector.ListOptions) {
    let cursor: string | undefined
    for (let page = 0; page < pages; page++) {
      const found: Inspector.Page = yield* inspector.list("user", state, { ...options, cursor })
      cursor = found.cursor
      if (cursor === undefined) return
    }
  }
)

const reads = (world: World): ReadonlyArray<readonly [string, Effect.Effect<unknown, unknown>]> => {
  const { inspector } = world
  const states = ["waiting", "running", "retrying", "scheduled", "queued", "dead"] as const
  return [
    ["services", inspector.services()],
    ["services, with a scan", inspector.services({ scan: true })],
    ["overview", inspector.overview("user")],
    ["consumers", inspector.consumers("user")],
    ["pauses", inspector.pauses("user")],
    ["schedules", inspector.schedules("user")],
    ["statistics", inspector.statistics("user")],
    ["stale, with a scan", inspector.stale("user", { scan: true })],
    ...states.flatMap((state) =>
      [
        [`list ${state}, 20 pages of 400`, pagesOf(world, state, 20, { limit: 400 })],
        [`list ${state}, 5 pages with payloads`, pagesOf(world, state, 5, { limit: 400, payload: true })],
        [`list ${state}, by type`, pagesOf(world, state, 5, { limit: 400, actionType: "user.t3" })]
      ] as const
    ),
    ["lanes", inspector.lanes("user", { limit: 100 })],
    ["names of lanes", inspector.laneNames("user")],
    ["list waiting, newest first", pagesOf(world, "waiting", 5, { limit: 400, order: "newest" })],
    ["list dead, newest first", pagesOf(world, "dead", 5, { limit: 400, order: "newest" })],
    ["find by action id, parked", inspector.find({ service: "user", actionId: actionId("parked", 50) })],
    ["find by action id, held", inspector.find({ service: "user", actionId: actionId("entry", 50) })],
    ["find by action id, a letter", inspector.find({ service: "user", actionId: actionId("letter", 50) })],
    ["find by action id, nowhere", inspector.find({ service: "user", actionId: actionId("entry", 1e9) })],
    ["find by entry id, nowhere", inspector.find({ service: "user", entryId: "1-1" })],
    ["dead letters, count", Effect.flatMap(inspector.deadLetters("user"), (letters) => letters.count())],
    [
      "dead letters, count of a type",
      Effect.flatMap(inspector.deadLetters("user"), (letters) => letters.count({ actionType: "user.t3" }))
    ],
    ["dead letters, groups", Effect.flatMap(inspector.deadLetters("user"), (letters) => letters.summary())],
    ["dead letters, dry run", inspector.dryRun("user")]
  ]
}

const verbs = (world: World): ReadonlyArray<readonly [string, (round: number) => Effect.Effect<unknown, unknown>]> => {
  const { inspector } = world
  const first = (state: "waiting" | "retrying" | "scheduled") =>
    Effect.map(inspector.list("user", state, { limit: 1 }), ({ entries }) => entries[0]!)
  const entry = (state: "waiting" | "retrying" | "scheduled") =>
    Effect.map(first(state), (found: Inspector.Entry) =>
      "entryId" in found
        ? { service: "user", entryId: found.entryId }
        : { service: "user", actionId: found.actionId ?? "" })
  const letter = Effect.map(inspector.list("user", "dead", { limit: 1 }), ({ entries }) => entries[0]!.letter.id)
  const many = 2_000 / Math.min(divisor, 10)
  return [
    ["pause a type", () => inspector.pause("user", { actionType: "user.t1" })],
    ["resume a type", () => inspector.resume("user", { actionType: "user.t1" })],
    ["cancel what waits", () => Effect.flatMap(entry("waiting"), inspector.cancel)],
    ["cancel a retry", () => Effect.flatMap(entry("retrying"), inspector.cancel)],
    ["cancel what is parked", () => Effect.flatMap(entry("scheduled"), inspector.cancel)],
    ["retry now", () => Effect.flatMap(entry("retrying"), inspector.retryNow)],
    ["reschedule", () => Effect.flatMap(entry("scheduled"), (of) => inspector.reschedule(of, { delay: "2 hours" }))],
    ["bury what waits", () => Effect.flatMap(entry("waiting"), (of) => inspector.bury(of))],
    ["bury what is parked", () => Effect.flatMap(entry("scheduled"), (of) => inspector.bury(of))],
    ["replay", () => Effect.flatMap(letter, (id) => inspector.replay("user", id))],
    ["replay many", () => inspector.replayMany("user", { actionType: "user.t3" }, { limit: many })],
    ["discard", () => Effect.flatMap(letter, (id) => inspector.discard("user", id))],
    ["discard many", (round) => inspector.discardMany("user", { actionType: `user.t${5 + round}` }, { limit: many })],
    ["purge what waits, a dry run", () => inspector.purge("user", { state: "waiting" }, { dryRun: true, limit: many })],
    ["purge what waits", () => inspector.purge("user", { state: "waiting" }, { limit: many })],
    [
      "purge what waits, a type",
      (round) => inspector.purge("user", { state: "waiting", actionType: `user.t${round}` }, { limit: many / 4 })
    ],
    ["purge retries", () => inspector.purge("user", { state: "retrying" }, { limit: many })],
    ["purge what is queued", () => inspector.purge("user", { state: "queued" }, { limit: many })],
    ["purge what is parked", () => inspector.purge("user", { state: "scheduled" }, { limit: many })],
    ["trigger", () => inspector.trigger("user", "tick-1")]
  ]
}

describe(`With ${sizes.entries} entries, ${sizes.letters} dead letters and ${sizes.parked} parked actions`, () => {
  it.live(
    "no call of any read or verb of an operator keeps the server for more than 20 ms",
    () =>
      Effect.gen(function*() {
        const made = yield* world
        const scheduling = yield* made.inspector.scheduling("user")
        for (let i = 0; i < 200; i++) {
          yield* scheduling.upsert(Schedules.every(`tick-${i}`, {
            every: "1 hour",
            action: Tick,
            payload: { n: i, note: "" }
          }))
        }
        const rows: Array<readonly [name: string, longest: number]> = []
        const run = (name: string, often: number, operation: (round: number) => Effect.Effect<unknown, unknown>) =>
          Effect.map(made.measure(often, operation), (longest) => rows.push([name, longest]))
        for (const [name, operation] of reads(made)) yield* run(name, rounds.read, () => operation)
        for (const [name, operation] of verbs(made)) yield* run(name, rounds.verb, operation)
        const table = rows.map(([name, longest]) => `${longest.toFixed(2).padStart(8)} ms  ${name}`)
        yield* Effect.sync(() => process.stdout.write(`The longest call of each:\n${table.join("\n")}\n`))
        const over = rows.filter(([, longest]) => longest > most)
        assert.deepStrictEqual(over, [])
        // Otherwise nothing was measured.
        assert.isTrue(rows.some(([, longest]) => longest > 0))
      }),
    1_800_000
  )
})
