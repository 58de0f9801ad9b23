/**
 * Finds the server program that the tests start: `REDIS_SERVER` when it is set,
 * else `redis-server` or `valkey-server` on the path.
 */
import { spawnSync } from "node:child_process"

const runs = (program: string): boolean => spawnSync(program, ["--version"], { stdio: "ignore" }).status === 0

/** The program's name or path, or `undefined` when none of the candidates runs. */
export const findRedisServer = (): string | undefined => {
  const named = process.env["REDIS_SERVER"]
  const candidates = named === undefined || named === "" ? ["redis-server", "valkey-server"] : [named]
  return candidates.find(runs)
}

/** One line for somebody whose machine has no server program. */
export const missingRedisServer = (): string => {
  const named = process.env["REDIS_SERVER"]
  return named === undefined || named === ""
    ? "the tests start and stop servers of their own and found neither redis-server nor valkey-server on the path"
    : `the tests start and stop servers of their own, and REDIS_SERVER=${named} does not run`
}
