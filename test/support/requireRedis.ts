/** Runs once before the tests of a project that starts servers: finds the program, or says how to get it. */
import { findRedisServer, missingRedisServer } from "../../scripts/redis-binary.ts"

export default function setup(): void {
  const server = findRedisServer()
  if (server === undefined) throw new Error(`${missingRedisServer()}: node scripts/ensure-redis.ts installs it`)
  process.env["REDIS_SERVER"] = server
}
