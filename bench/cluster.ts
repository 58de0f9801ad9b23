/**
 * `npm run bench:cluster`: the CPU an action on one server, and on clusters of one, two and three masters.
 *
 * Six services, as many on each master, with their workers and a client in this process. Actions are sent and handled, and
 * requests are sent, handled and answered. A figure is the median of the rounds; each round measures each place once, in an
 * order that rotates. `--rounds n` (default 5), `--actions n` of each kind (default 20,000).
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import { parseArgs } from "node:util"
import { ActionClient, IoRedis, QueueNaming, type Redis, Settings, Worker } from "../src/index.ts"
import { slotCount, slotOf } from "../src/internal/redis/slot.ts"
import * as Cluster from "../test/support/cluster.ts"
import * as Server from "../test/support/redisServer.ts"
import { machine } from "./harness/machine.ts"
import * as Actions from "./support/actions.ts"
import { AskUser, CreateUser, Requests } from "./systems/contract.ts"

const { values } = parseArgs({ options: { rounds: { type: "string" }, actions: { type: "string" } } })
const rounds = Number(values.rounds ?? 5)
const actions = Number(values.actions ?? 20_000)

/** Six names of which each of one, two or three masters has as many as the others. */
const services = (() => {
  const shardOf = (service: string, masters: number) =>
    Math.floor(slotOf(`{nooble4:dev:${service}}:streams:main`) / Math.ceil(slotCount / masters))
  const chosen: Array<string> = []
  const room = (masters: number, shard: number) =>
    chosen.filter((other) => shardOf(other, masters) === shard).length < 6 / masters
  for (let index = 0; chosen.length < 6; index++) {
    const service = `service${index}`
    if (room(2, shardOf(service, 2)) && room(3, shardOf(service, 3))) chosen.push(service)
  }
  return chosen
})()

interface Place {
  readonly name: string
  readonly redis: Layer.Layer<Redis.Redis, IoRedis.RedisStartError | IoRedis.InvalidOption>
  readonly nodes: ReadonlyArray<Server.Server>
}

const server: Effect.Effect<Place, Server.RedisServerError | Server.ReplyError, Scope.Scope> = Effect.map(
  Server.start(),
  (server) => ({ name: "one server", redis: IoRedis.layerOptions({ url: server.url }), nodes: [server] })
)

const cluster = (masters: number): Effect.Effect<Place, Server.RedisServerError | Server.ReplyError, Scope.Scope> =>
  Effect.map(Cluster.start({ masters, replicas: false }), ({ nodes, urls }) => ({
    name: masters === 1 ? "cluster of 1 master" : `cluster of ${masters} masters`,
    redis: IoRedis.layerCluster({ nodes: urls }),
    nodes
  }))

/** Seconds of CPU that each node has used. */
const used = ({ nodes }: Place) =>
  Effect.forEach(nodes, (node) =>
    Effect.map(node.cli("INFO", "cpu"), (text) => {
      const part = (kind: string) => Number(new RegExp(`used_cpu_${kind}:([\\d.]+)`).exec(String(text))?.[1])
      return part("user") + part("sys")
    }))

interface Figures {
  readonly rate: number
  /** Microseconds an action: of this process, of all servers, of the server that has most of it. */
  readonly client: number
  readonly servers: number
  readonly busiest: number
}

const measured = Effect.fnUntraced(function*<E, R>(place: Place, work: Effect.Effect<void, E, R>) {
  const before = yield* used(place)
  const cpu = process.cpuUsage()
  const began = performance.now()
  yield* work
  const seconds = (performance.now() - began) / 1_000
  const { system, user } = process.cpuUsage(cpu)
  const spent = (yield* used(place)).map((after, index) => after - before[index]!)
  return {
    rate: actions / seconds,
    client: (user + system) / actions,
    servers: 1e6 * spent.reduce((sum, one) => sum + one, 0) / actions,
    busiest: 1e6 * Math.max(...spent) / actions
  } satisfies Figures
})

const run = Effect.fnUntraced(function*(place: Place) {
  for (const node of place.nodes) yield* node.flush
  let handled = 0
  const handlers = Requests.handlers({
    [Actions.actionType]: () =>
      Effect.sync(() => {
        handled++
        return { userId: "u1" }
      })
  })
  const payload = (sequence: number) => Actions.payloadOf(sequence, Actions.noteOfEnvelope)
  return yield* Effect.gen(function*() {
    for (const service of services) yield* Worker.start(handlers, { service, callbacks: false })
    const client = yield* ActionClient.make()
    const serviceOf = (index: number) => services[index % services.length]!
    const each = <E>(count: number, one: (index: number) => Effect.Effect<unknown, E>) =>
      Effect.forEach(Array.from({ length: count }, (_, index) => index), one, { concurrency: 300, discard: true })
    const send = (index: number) => client.send(CreateUser, payload(index), { service: serviceOf(index) })
    const ask = (index: number) => client.request(AskUser, payload(index), { service: serviceOf(index) })
    const handledAll = (count: number) =>
      Effect.sleep("2 millis").pipe(Effect.repeat({ until: () => handled >= count }))
    yield* each(actions / 4, send)
    yield* each(actions / 4, ask)
    yield* handledAll(actions / 2)
    const sent = yield* measured(place, Effect.andThen(each(actions, send), handledAll(actions / 2 + actions)))
    const asked = yield* measured(place, each(actions, ask))
    return { sent, asked }
  }).pipe(
    Effect.scoped,
    Effect.provide(
      Layer.merge(QueueNaming.layerCluster, place.redis).pipe(
        Layer.provideMerge(Settings.layerOf({ serviceName: "bench" })),
        Layer.provideMerge(Logger.layer([]))
      )
    )
  )
})

const median = (numbers: ReadonlyArray<number>): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)]!

const say = (line: string) => Effect.sync(() => process.stdout.write(`${line}\n`))

const table = (title: string, rows: ReadonlyMap<string, ReadonlyArray<Figures>>) =>
  Effect.gen(function*() {
    yield* say(`\n${title}: µs of CPU an action, median of ${rounds} rounds (lowest to highest)`)
    for (const [name, figures] of rows) {
      const column = (part: keyof Figures, digits: number) => {
        const numbers = figures.map((one) => one[part])
        const [low, high] = [Math.min(...numbers), Math.max(...numbers)].map((one) => one.toFixed(digits))
        return `${median(numbers).toFixed(digits)} (${low} to ${high})`
      }
      yield* say(
        `  ${name.padEnd(21)} process ${column("client", 1)}, servers ${column("servers", 1)}, ` +
          `busiest server ${column("busiest", 1)}; ${column("rate", 0)} actions/s`
      )
    }
  })

const main = Effect.gen(function*() {
  const places = [yield* server, yield* cluster(1), yield* cluster(2), yield* cluster(3)]
  const sent = new Map(places.map(({ name }) => [name, [] as Array<Figures>]))
  const asked = new Map(places.map(({ name }) => [name, [] as Array<Figures>]))
  for (let round = 0; round < rounds; round++) {
    for (let index = 0; index < places.length; index++) {
      const place = places[(index + round) % places.length]!
      const figures = yield* run(place)
      sent.get(place.name)!.push(figures.sent)
      asked.get(place.name)!.push(figures.asked)
    }
  }
  const { cores, cpu } = machine()
  yield* say(
    `${cores} cores (${cpu}), Node ${process.versions.node}; ${actions} actions of 600 bytes of each kind a round`
  )
  yield* table("sent and handled", sent)
  yield* table("requests", asked)
})

NodeRuntime.runMain(Effect.scoped(main))
