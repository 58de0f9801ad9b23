/** Options of `IoRedis.layerCluster`, checked: each node by the rules for one server. */
import * as Result from "effect/Result"
import type { ClusterOptions, IoRedisOptions, Options } from "../../IoRedis.ts"
import { InvalidOption } from "../base/invalidOption.ts"
import { addressOf, type Endpoint } from "./clusterEndpoint.ts"
import { resolve, type Resolved } from "./options.ts"
import { type RedisStartError, startError } from "./startError.ts"

export interface ResolvedCluster {
  readonly resolved: Resolved
  readonly seeds: ReadonlyArray<Endpoint>
  readonly translate: (endpoint: Endpoint) => Endpoint
}

const taken: ReadonlySet<string> = new Set(
  [
    "clientInfoTag",
    "connectTimeout",
    "connectionName",
    "disableClientInfo",
    "family",
    "keepAlive",
    "noDelay",
    "password",
    "tls",
    "username"
  ] satisfies ReadonlyArray<keyof IoRedisOptions>
)

const unsupported = (address: string, detail: string, advice: string): RedisStartError =>
  startError(address, { reason: "Unsupported", detail, advice })

const endpointIn = ({ client }: Resolved): Endpoint => ({
  host: client.host ?? "localhost",
  port: client.port ?? 6379
})

const translation = (natMap: ClusterOptions["natMap"]): ResolvedCluster["translate"] => (endpoint) => {
  const address = addressOf(endpoint)
  const found = typeof natMap === "function" ? natMap(address) : natMap?.[address]
  return found === undefined ? endpoint : { host: found.host, port: found.port }
}

export const resolveCluster = (
  options: Omit<ClusterOptions, "password"> & Pick<Options, "password">
): Result.Result<ResolvedCluster, RedisStartError | InvalidOption> => {
  const { ioredis, natMap, nodes, ...common } = options
  if (!Array.isArray(nodes) || nodes.length === 0) {
    const found = Array.isArray(nodes) ? "empty" : typeof nodes
    return Result.fail(new InvalidOption({ option: "nodes", found, expected: "the URLs of one node or more" }))
  }
  const refused = Object.entries(ioredis ?? {}).filter(([name, value]) => value !== undefined && !taken.has(name))
  if (refused.length > 0) {
    const names = refused.map(([name]) => name).join(", ")
    return Result.fail(
      unsupported(
        "the cluster",
        `ioredis options that a cluster cannot use: ${names}`,
        `leave them out; a cluster takes ${[...taken].join(", ")}, and \`nodes\` has the addresses`
      )
    )
  }
  const found: Array<Resolved> = []
  for (const url of nodes) {
    const node = resolve({ ...common, url, ioredis })
    if (Result.isFailure(node)) {
      const { failure } = node
      return Result.fail(
        failure._tag === "InvalidOption" && failure.option === "url"
          ? new InvalidOption({ option: "nodes", found: failure.found, expected: failure.expected })
          : failure
      )
    }
    found.push(node.success)
  }
  const [first] = found
  const seeds = found.map(endpointIn)
  const address = seeds.map(addressOf).join(", ")
  for (const { client, tls } of found) {
    if (client.path !== undefined) {
      return Result.fail(unsupported(address, "a node is the path of a unix socket", "give its host and port"))
    }
    if (client.db !== undefined && client.db !== 0) {
      return Result.fail(
        unsupported(
          address,
          `a node's URL has database ${client.db}, and a cluster has database 0 only`,
          "leave the number out, and use ENVIRONMENT or QUEUE_PREFIX to keep services apart"
        )
      )
    }
    if (tls !== first!.tls) {
      return Result.fail(
        unsupported(
          address,
          "some nodes use TLS and some do not",
          "give all of them with rediss://, or all with redis://"
        )
      )
    }
  }
  // The certificate is checked for the name of each node, not for that of the first.
  const { tls, ...client } = first!.client
  return Result.succeed({
    seeds,
    translate: translation(natMap),
    resolved: { ...first!, address, client: { ...client, ...tls !== undefined && { tls: { ...ioredis?.tls } } } }
  })
}
