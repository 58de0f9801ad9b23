/**
 * `npm run bench:scale`: how load, connections and memory spread over the shards of a large cluster. No server is started:
 * slots are computed from the names of `QueueNaming.layerCluster`, and costs are those that `npm run bench:cluster` measured.
 *
 * The same `--seed` gives the same figures. `--shards` (64), `--services` (200), `--processes` (1,000), `--rate` of all services
 * together (100,000 actions a second), `--skew` (1: the second service has half the load of the first, the third a third),
 * `--requests` (the part of the actions that are requests, 0.3).
 */
import { parseArgs } from "node:util"
import * as QueueNaming from "../src/QueueNaming.ts"
import {
  boundsOf,
  connectionsOf,
  costs,
  type Fleet,
  fleetOf,
  loadOf,
  placed,
  placedByLoad,
  rateAt
} from "./support/fleet.ts"

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    shards: { type: "string", default: "64" },
    services: { type: "string", default: "200" },
    processes: { type: "string", default: "1000" },
    rate: { type: "string", default: "100000" },
    skew: { type: "string", default: "1" },
    requests: { type: "string", default: "0.3" }
  }
})

const fleet: Fleet = fleetOf({
  seed: Number(values.seed),
  shards: Number(values.shards),
  services: Number(values.services),
  processes: Number(values.processes),
  rate: Number(values.rate),
  skew: Number(values.skew),
  requests: Number(values.requests)
})

const say = (line = ""): void => void process.stdout.write(`${line}\n`)
const thousands = (number: number): string => Math.round(number).toLocaleString("en-US")
const percent = (part: number): string => `${(100 * part).toFixed(1)} %`
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`

const naming = QueueNaming.makeCluster({ prefix: "shop", environment: "prod" })
const byName = placed(fleet, (service) => naming.key(service, "streams", "main"))
const byLoad = placedByLoad(fleet)

say(
  `${fleet.shards} shards, ${fleet.services.length} services, ${thousands(fleet.processes.length)} processes, ` +
    `${thousands(fleet.rate)} actions/s of which ${
      percent(fleet.requests)
    } are requests, skew ${fleet.skew}, seed ${fleet.seed}`
)
say(`costs: ${costs.action} µs of the server an action, ${costs.request} µs a request`)

for (
  const [title, shardOf] of [
    ["services where their names put them", byName],
    ["slots moved so that shards have about the same load", byLoad]
  ] as const
) {
  const load = loadOf(fleet, shardOf)
  const [services, cpu, connections, memory] = [load.services, load.cpu, connectionsOf(fleet, shardOf), load.memory]
    .map(boundsOf)
  const busiest = load.cpu.indexOf(Math.max(...load.cpu))
  say(`\n${title}`)
  say(`  services a shard      ${services!.lowest} to ${services!.highest}, median ${services!.median}`)
  say(
    `  CPU of a shard        ${percent(cpu!.lowest)} to ${percent(cpu!.highest)} of a core, median ${
      percent(cpu!.median)
    }`
  )
  say(
    `  the busiest shard     ${fleet.services.filter(({ name }) => shardOf(name) === busiest).length} services, ` +
      `its largest has ${percent(load.largest[busiest]! / load.cpu[busiest]!)} of its load`
  )
  say(`  until it is 70 % busy ${thousands(rateAt(fleet, shardOf, 0.7))} actions/s of all services together`)
  say(
    `  connections a shard   ${connections!.lowest} to ${connections!.highest}, ${thousands(connections!.sum)} in all`
  )
  say(
    `  memory of connections ${megabytes(connections!.highest * costs.connection)} on the shard that has most of them`
  )
  say(
    `  ten minutes of backlog ${megabytes(memory!.highest)} on the shard that has most of it, ${
      megabytes(memory!.sum)
    } in all`
  )
}

const [first] = fleet.services
say(`\none service`)
say(
  `  the largest service has ${percent(first!.share)} of the load. Alone on its shard, it is 70 % of a core at ` +
    `${thousands(0.7e6 / fleet.cost)} actions/s`
)
say(
  `  with it, all services together reach ${thousands(0.7e6 / fleet.cost / first!.share)} actions/s, ` +
    `split into four services ${thousands(rateAt(fleet, byLoad, 0.7, 4))}`
)
