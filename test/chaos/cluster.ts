/**
 * `npm run chaos:cluster`: a move of the slot of a service and two failovers of its master under load, counted against a
 * ledger outside Redis.
 *
 * Three masters with a replica each, two workers and a client. One action in ten is a request, one in twenty is retried, and
 * one in fifty becomes a dead letter. The move takes longer than the lease of the workers. Half of the keys are on the other
 * node meanwhile, so what needs keys of both waits.
 *
 * The failovers are graceful (`CLUSTER FAILOVER`), and nothing may be lost. With `--kill` the master is ended by SIGKILL, and
 * what its replica had not received is counted, because Redis replicates asynchronously: once with a replica that is in step,
 * and once with a replica that was cut off half a second before. `--actions n` says how many actions (default 100,000; 10,000
 * with `--quick`).
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import { parseArgs } from "node:util"
import * as Cluster from "../support/cluster.ts"
import * as Load from "../support/clusterLoad.ts"
import { until } from "../support/until.ts"

const { values } = parseArgs({
  options: { quick: { type: "boolean" }, actions: { type: "string" }, kill: { type: "boolean" } }
})
const total = Number(values.actions ?? (values.quick === true ? 10_000 : 100_000))
const kills = values.kill === true

/** How long the actions are sent for at least, in milliseconds, so that all of it happens under load. */
const duration = 45_000

/** How long the slot is between two nodes, in milliseconds. */
const between = 1.5 * Load.lease

/** How far from the moment at which its replica was in step the time of a lost action may be, in milliseconds. */
const late = 1_500

const say = (line: string) => Effect.sync(() => process.stdout.write(`${line}\n`))

const pause = (millis: number) => Effect.promise(() => new Promise<void>((resolve) => setTimeout(resolve, millis)))

/** What there was in the slot at one moment. */
const contents = Effect.fnUntraced(function*({ ledger, names, redis }: Load.Load) {
  return [
    `${yield* redis.send<number>("XLEN", names.stream)} entries`,
    `${ledger.running.size} handlers running`,
    `${ledger.open.size} requests pending`,
    `${yield* redis.send<number>("ZCARD", names.retryDue)} retries waiting`,
    `${yield* redis.send<number>("XLEN", names.deadLetters)} dead letters`
  ].join(", ")
})

const move = Effect.fnUntraced(function*(cluster: Cluster.Cluster, load: Load.Load) {
  // What a failover before it did to leases is no work of the move.
  let before = -1
  yield* until(
    "no lease is lost for a while",
    Effect.gen(function*() {
      const last = before
      before = yield* load.leasesLost
      if (last !== before) yield* pause(2 * Load.lease)
      return last === before
    })
  )
  const begun = yield* cluster.beginMove(load.names.stream)
  yield* say(`slot moves       with ${yield* contents(load)}`)
  const moved = yield* begun.keys(2)
  const handled = load.ledger.handled.size
  const accepted = load.ledger.accepted.size
  yield* pause(between)
  yield* say(
    `slot is between  ${moved} keys are on the other node for ${between} ms: ` +
      `${load.ledger.accepted.size - accepted} accepted, ${load.ledger.handled.size - handled} handled; ` +
      (yield* contents(load))
  )
  yield* begun.end
  yield* pause(Load.lease)
  const lost = (yield* load.leasesLost) - before
  const buried = load.buriedOf(yield* load.letters).length
  yield* say(`slot has moved   ${lost} leases lost, ${buried} dead letters of actions that no handler gave up`)
  return lost + buried
})

/** When the replica received the last write of its master, or later. */
type Failover = (cluster: Cluster.Cluster, load: Load.Load) => Effect.Effect<number, unknown>

const graceful: Failover = Effect.fnUntraced(function*(cluster, load) {
  yield* cluster.failover(load.names.stream)
  yield* say(`failover         CLUSTER FAILOVER, ${load.ledger.accepted.size} accepted so far`)
  return performance.now()
})

/** `cutOff`: how long before its end the master loses its replica, in milliseconds. */
const killed = (cutOff: number): Failover =>
  Effect.fnUntraced(function*(cluster, load) {
    const { names } = load
    const owner = yield* cluster.ownerOf(names.stream)
    const replica = yield* cluster.replicaOf(names.stream)
    yield* until(
      "the replica is in step",
      Effect.map(replica.cli("INFO", "replication"), (text) => String(text).includes("master_link_status:up"))
    )
    const at = performance.now()
    if (cutOff > 0) {
      // It cannot come back with a wrong password.
      yield* replica.cli("CONFIG", "SET", "masterauth", "wrong")
      yield* replica.cli("CLIENT", "KILL", "TYPE", "master")
      yield* pause(cutOff)
    }
    const ended = performance.now()
    yield* owner.kill("SIGKILL")
    yield* until(
      "the replica is the owner",
      Effect.map(cluster.ownerOf(names.stream), (now) => now === replica),
      60_000
    )
    if (cutOff > 0) yield* replica.cli("CONFIG", "SET", "masterauth", "")
    yield* say(
      `failover         SIGKILL${cutOff > 0 ? `, ${cutOff} ms after its replica was cut off` : ""}; ` +
        `the replica took over after ${Math.round(performance.now() - ended)} ms, ` +
        `${load.ledger.accepted.size} accepted so far`
    )
    // It comes back as a replica, for the next failover.
    yield* owner.restart
    return at
  })

const failovers = kills ? [killed(0), killed(500)] as const : [graceful, graceful] as const

const main = Effect.gen(function*() {
  const cluster = yield* Cluster.start()
  const load = yield* Load.make(cluster)
  const { ledger } = load
  const began = performance.now()
  const sending = yield* Effect.forkChild(load.send(total, duration), { startImmediately: true })
  const reached = (part: number) =>
    until("the next part is handled", Effect.sync(() => ledger.handled.size > part * total), 600_000)

  yield* reached(0.1)
  const first = yield* failovers[0](cluster, load)
  yield* reached(0.4)
  const harmOfMove = yield* move(cluster, load)
  yield* reached(0.75)
  const second = yield* failovers[1](cluster, load)
  yield* Fiber.join(sending)
  yield* load.drained

  const letters = yield* load.letters
  const lost = load.lostOf(letters)
  /** A caller learns a little later that its action was accepted. */
  const explained = (key: string, since: number, until: number) =>
    ledger.accepted.get(key)! > since && ledger.accepted.get(key)! < until
  const byFirst = lost.filter((key) => explained(key, first - late, first + late))
  const bySecond = lost.filter((key) => explained(key, second - late, second + late))
  const twice = [...ledger.handled.values()].filter((count) => count > 1).length
  yield* say(
    `ledger           ${total} actions in ${Math.round((performance.now() - began) / 1_000)} s: ` +
      `${ledger.accepted.size} accepted, ${ledger.refused} sends failed, ${ledger.handled.size} handled, ` +
      `${twice} of them twice, ${letters.size} dead letters, ` +
      `${ledger.answered.size} requests answered, ${ledger.failedRequests} failed`
  )
  yield* say(
    `result           ${lost.length} lost${kills ? ` (${byFirst.length} and ${bySecond.length})` : ""}, ` +
      `${ledger.open.size} hung, ${load.buriedOf(letters).length} buried that no handler gave up`
  )
  const failures = [
    ...ledger.open.size > 0 ? ["requests hang"] : [],
    ...harmOfMove > 0 ? ["the move of the slot did harm"] : [],
    ...lost.length > 0 && !kills ? ["graceful failovers lost actions"] : [],
    ...lost.length > byFirst.length + bySecond.length ? ["an action was lost that no failover explains"] : []
  ]
  if (failures.length > 0) return yield* Effect.die(new Error(failures.join("; ")))
  yield* say(kills ? "Only what the replicas had not received was lost." : "Nothing was lost.")
})

// What the workers log of the trouble would be most of the output.
NodeRuntime.runMain(Effect.scoped(main).pipe(Effect.provide(Logger.layer([]))))
