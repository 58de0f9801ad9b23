/** A model of many services on a cluster: which shard has what of them. Used by `bench/scale.ts`, and by a test that compares it with a cluster. */
import { slotCount, slotOf } from "../../src/internal/redis/slot.ts"
import { generator } from "../../src/internal/testing/generator.ts"

/** What things cost the server. */
export const costs = {
  /** Microseconds of CPU for an action that is sent and handled, as `npm run bench:cluster` measured them. */
  action: 10,
  /** The same for a request that is sent, handled and answered. */
  request: 24,
  /** Bytes of an entry of 512 bytes, see docs/deployment.md. */
  entry: 600,
  /** Bytes that Redis 7 needs for a connection: `tot-mem` of `CLIENT LIST` for one that reads. */
  connection: 22_000
} as const

export interface Options {
  readonly seed: number
  readonly shards: number
  readonly services: number
  readonly processes: number
  /** Actions a second of all services together. */
  readonly rate: number
  /** The exponent of Zipf's law: 0 for services of the same size. */
  readonly skew: number
  /** The part of the actions that are requests. */
  readonly requests: number
}

export interface Service {
  readonly name: string
  /** Its part of the load. */
  readonly share: number
}

/** What one process does, besides the work of its handlers. */
export interface Process {
  readonly service: string
  /** Consumers of its worker. */
  readonly consumers: number
  /** Services that it sends actions to. */
  readonly sendsTo: ReadonlyArray<string>
  /** Services of those that it asks and waits for. */
  readonly asks: ReadonlyArray<string>
}

export interface Fleet extends Omit<Options, "services" | "processes"> {
  /** The largest first. */
  readonly services: ReadonlyArray<Service>
  readonly processes: ReadonlyArray<Process>
  /** Microseconds of a server for an action, requests and others together. */
  readonly cost: number
}

export type ShardOf = (service: string) => number

/** How many services a process sends to, and how many of them it asks. */
const targets = 5
const asked = 2

/** Services by Zipf's law, and as many processes of each as its load needs: at least one. */
export const fleetOf = (options: Options): Fleet => {
  const random = generator(options.seed)
  const weights = Array.from({ length: options.services }, (_, index) => 1 / (index + 1) ** options.skew)
  const sum = weights.reduce((total, weight) => total + weight, 0)
  // The name says nothing about the size.
  const services = weights.map((weight) => ({
    name: `s${Math.floor(random() * 2 ** 32).toString(36)}`,
    share: weight / sum
  }))
  const draw = (): string => {
    let left = random()
    for (const { name, share } of services) if ((left -= share) < 0) return name
    return services[0]!.name
  }
  const counts = services.map(({ share }) => Math.max(1, Math.round(share * options.processes)))
  const processes = services.flatMap(({ name }, index) =>
    Array.from({ length: counts[index]! }, (): Process => {
      const sendsTo = [...new Set(Array.from({ length: targets }, draw))]
      return { service: name, consumers: 1, sendsTo, asks: sendsTo.slice(0, asked) }
    })
  )
  return {
    ...options,
    services,
    processes: processes.slice(0, options.processes),
    cost: (1 - options.requests) * costs.action + options.requests * costs.request
  }
}

/** Slots in equal ranges, as `redis-cli --cluster create` makes them. */
export const placed = ({ services, shards }: Fleet, streamOf: (service: string) => string): ShardOf => {
  const shard = new Map(
    services.map(({ name }) => [name, Math.floor(slotOf(streamOf(name)) / Math.ceil(slotCount / shards))] as const)
  )
  return (service) => shard.get(service)!
}

/** The slot of each service is on the shard that has the least load so far, the largest service first. */
export const placedByLoad = ({ services, shards }: Fleet): ShardOf => {
  const loads = Array.from({ length: shards }, () => 0)
  const shard = new Map<string, number>()
  for (const { name, share } of services) {
    const least = loads.indexOf(Math.min(...loads))
    loads[least]! += share
    shard.set(name, least)
  }
  return (service) => shard.get(service)!
}

/** For each shard: its services, the part of a core that it is busy, that of its largest service, ten minutes of entries. */
export const loadOf = ({ cost, rate, services, shards }: Fleet, shardOf: ShardOf) => {
  const empty = () => Array.from({ length: shards }, () => 0)
  const load = { services: empty(), cpu: empty(), largest: empty(), memory: empty() }
  for (const { name, share } of services) {
    const shard = shardOf(name)
    const cpu = share * rate * cost / 1e6
    load.services[shard]!++
    load.cpu[shard]! += cpu
    load.largest[shard] = Math.max(load.largest[shard]!, cpu)
    load.memory[shard]! += share * rate * 600 * costs.entry
  }
  return load
}

/** The connections of one process to each shard: the shared ones, one for each consumer, and one for each service it asks. */
export const connectionsOfProcess = (
  { asks, consumers, sendsTo, service }: Process,
  shardOf: ShardOf
): ReadonlyMap<number, number> => {
  const found = new Map<number, number>()
  const add = (shard: number, count: number) => found.set(shard, (found.get(shard) ?? 0) + count)
  for (const shard of new Set([service, ...sendsTo].map(shardOf))) add(shard, 1)
  add(shardOf(service), consumers)
  for (const name of asks) add(shardOf(name), 1)
  return found
}

/** Each layer opens its first shared connection to any one node, whether it is needed there or not. */
export const connectionsOf = ({ processes, shards }: Fleet, shardOf: ShardOf): ReadonlyArray<number> => {
  const connections = Array.from({ length: shards }, () => 0)
  for (const [index, process] of processes.entries()) {
    const own = connectionsOfProcess(process, shardOf)
    for (const [shard, count] of own) connections[shard]! += count
    if (!own.has(index % shards)) connections[index % shards]!++
  }
  return connections
}

/** The rate of all services together at which the busiest shard is so busy. `split`: into how many the largest service is split. */
export const rateAt = (fleet: Fleet, shardOf: ShardOf, busy: number, split = 1): number => {
  if (split > 1) {
    const [largest, ...others] = fleet.services
    const parts = Array.from({ length: split }, (_, index) => ({
      name: `${largest!.name}-${index}`,
      share: largest!.share / split
    }))
    const services = [...parts, ...others].sort((a, b) => b.share - a.share)
    const next = { ...fleet, services }
    return rateAt(next, placedByLoad(next), busy)
  }
  return fleet.rate * busy / Math.max(...loadOf(fleet, shardOf).cpu)
}

export const boundsOf = (numbers: ReadonlyArray<number>) => {
  const sorted = [...numbers].sort((a, b) => a - b)
  return {
    lowest: sorted[0]!,
    median: sorted[Math.floor(sorted.length / 2)]!,
    highest: sorted.at(-1)!,
    sum: sorted.reduce((sum, one) => sum + one, 0)
  }
}
