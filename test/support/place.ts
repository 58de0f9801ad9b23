/**
 * Where suites run. A file of test/both belongs to two projects: `unit` registers what runs in memory, `server` what runs
 * on a real server. The project says which by TEST_PLACE; without it (in another runner) everything is registered.
 */
import { describe, layer } from "@effect/vitest"

export type Kind = "memory" | "server"

/** Whether the server of this run is a Redis Cluster, on which the suites of a server run as well. */
export const isOnCluster = process.env["TEST_PLACE"] === "cluster"

/** Whether suites of that place are registered in this run. */
export const runsOn = (kind: Kind): boolean =>
  process.env["TEST_PLACE"] === undefined || process.env["TEST_PLACE"] === (isOnCluster ? "cluster" : kind) &&
    (!isOnCluster || kind === "server")

/** `describe` for a suite that needs no server, in a file that also has others. */
export const describeInMemory = (name: string, suite: () => void): void => {
  if (runsOn("memory")) describe(name, suite)
}

/** `describe` for a suite whose tests start servers, in a file that also has others. */
export const describeOnServer = (name: string, suite: () => void): void => {
  if (runsOn("server")) describe(name, suite)
}

/** `layer` for a suite on a real server, in a file that also has others. */
export const layerOnServer: typeof layer = (...options) => runsOn("server") ? layer(...options) : () => {}
