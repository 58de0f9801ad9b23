/** Random sequences of commands on several connections, some of which block. */
import { generator } from "../../src/internal/testing/generator.ts"
import type { Command } from "./redisCommands.ts"

export interface Step {
  readonly connection: number
  readonly command: Command
}

export const connections = 5

export const steps = (seed: number): ReadonlyArray<Step> => {
  const next = generator(seed)
  const below = (n: number) => Math.floor(next() * n)
  const pick = <A>(items: ReadonlyArray<A>): A => items[below(items.length)]!
  let lastMs = 0
  const list = () => pick(["a", "a", "b"])
  const stream = () => pick(["s", "s", "t"])
  const side = () => pick(["LEFT", "RIGHT"])
  const values = () => Array.from({ length: 1 + below(3) }, () => String(below(100)))
  const blocking: ReadonlyArray<() => Command> = [
    () => [pick(["BLPOP", "BRPOP"]), list(), "0"],
    () => [pick(["BLPOP", "BRPOP"]), "a", "b", "0"],
    () => ["BLMOVE", list(), list(), side(), side(), "0"],
    () => ["BLMPOP", "0", "2", "a", "b", side(), "COUNT", pick(["1", "2", "5"])],
    () => ["XREAD", "BLOCK", "0", "STREAMS", "s", "t", "$", "$"],
    () => ["XREAD", "COUNT", "1", "BLOCK", "0", "STREAMS", stream(), pick(["0", "$"])],
    () => ["XREADGROUP", "GROUP", "g", pick(["c", "d"]), "BLOCK", "0", "STREAMS", stream(), ">"],
    () => ["XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "BLOCK", "0", "NOACK", "STREAMS", stream(), ">"],
    () => ["XREADGROUP", "GROUP", "g", "d", "BLOCK", "0", "STREAMS", "s", "t", ">", ">"]
  ]
  const plain: ReadonlyArray<() => Command> = [
    () => [pick(["LPUSH", "RPUSH"]), list(), ...values()],
    () => [pick(["LPUSH", "RPUSH"]), list(), ...values()],
    () => ["LMOVE", list(), list(), side(), side()],
    () => ["RENAME", "b", "a"],
    () => ["XADD", stream(), `${++lastMs}-1`, "f", String(lastMs)],
    () => ["XADD", stream(), `${++lastMs}-1`, "f", String(lastMs)],
    () => ["XADD", stream(), `${++lastMs}-1`, "f", String(lastMs)],
    () => ["XGROUP", "CREATE", stream(), "g", pick(["0", "$"]), "MKSTREAM"],
    () => ["XGROUP", "CREATE", stream(), "g", pick(["0", "$"]), "MKSTREAM"],
    () => ["XGROUP", "DESTROY", stream(), "g"],
    () => ["XDEL", stream(), `${lastMs}-1`],
    () => ["DEL", pick(["a", "b", "s", "t"])],
    () => ["SET", pick(["a", "s"]), "x"],
    () => ["RENAME", "t", "s"],
    () => ["EVAL", addAndDelete, "1", "s", `${++lastMs}-1`],
    () => ["EVAL", addSome, "1", stream(), `${++lastMs}`, next() < 0.03 ? "1001" : "3"],
    () => ["EVAL", pushTwice, "2", "a", "b"],
    () => ["XPENDING", stream(), "g"]
  ]
  return Array.from({ length: 2 + below(30) }, () => ({
    connection: below(connections),
    command: next() < 0.4 ? pick(blocking)() : pick(plain)()
  }))
}

/** An entry that comes and goes within one script: readers wake, and find nothing. */
export const addAndDelete =
  "redis.call('XADD', KEYS[1], ARGV[1], 'f', 'gone') return redis.call('XDEL', KEYS[1], ARGV[1])"

/** Several entries at once. */
export const addSome = "for i = 1, ARGV[2] do redis.call('XADD', KEYS[1], ARGV[1] .. '-' .. i, 'f', i) end"

/** Two keys that wake up at once. */
export const pushTwice = "redis.call('RPUSH', KEYS[2], 'x', 'y') return redis.call('RPUSH', KEYS[1], 'z')"
