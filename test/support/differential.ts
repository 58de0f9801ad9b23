/**
 * What differential tests share: a sequence of commands runs on a server and in memory, and what differs is made as short
 * as it gets.
 */
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import { Redis as IoRedis } from "ioredis"
import { Redis } from "../../src/Redis.ts"
import type { Command } from "./redisCommands.ts"
import * as RedisServer from "./redisServer.ts"

export type Run = (commands: ReadonlyArray<Command>) => Effect.Effect<ReadonlyArray<unknown>>

export interface Runs {
  readonly server: Run
  readonly memory: Run
}

export interface Difference {
  readonly command: Command
  readonly server: unknown
  readonly memory: unknown
}

/** The first reply that differs, if one does. */
export type Compare = (runs: Runs, commands: ReadonlyArray<Command>) => Effect.Effect<Difference | undefined>

/** The shortest sequence found that still differs. */
export const shrink = (compare: Compare, runs: Runs, commands: ReadonlyArray<Command>) =>
  Effect.gen(function*() {
    let best = commands
    for (let size = Math.ceil(best.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      let again = true
      while (again) {
        again = false
        for (let from = 0; from < best.length; from += size) {
          const candidate = [...best.slice(0, from), ...best.slice(from + size)]
          if ((yield* compare(runs, candidate)) !== undefined) {
            best = candidate
            again = true
            break
          }
        }
      }
    }
    return best
  })

const quote = (text: string): string =>
  /^[\w.*+$>~=:(-]+$/.test(text)
    ? text
    // What redis-cli reads between quotes.
    : `"${text.replaceAll(/["\\\n\0]/g, (c) => c === "\n" ? "\\n" : c === "\0" ? "\\x00" : `\\${c}`)}"`

/** Commands as lines that `redis-cli` takes. */
export const print = (commands: ReadonlyArray<Command>): string =>
  commands.map((command) => command.map(quote).join(" ")).join("\n")

export const report = (seed: number, commands: ReadonlyArray<Command>, difference: Difference): string =>
  [
    `seed ${seed} (DIFFERENTIAL_SEED=${seed} DIFFERENTIAL_SEQUENCES=1):`,
    print(commands),
    `differs at: ${print([difference.command])}`,
    `  server: ${JSON.stringify(difference.server)}`,
    `  memory: ${JSON.stringify(difference.memory)}`
  ].join("\n")

export interface Trial {
  readonly commands: ReadonlyArray<Command>
  readonly compare: Compare
}

/** Runs the sequences of these seeds; the report of the first that differs, made short. */
export const search = (
  seeds: { readonly first: number; readonly count: number },
  trialOf: (seed: number) => Trial,
  runs: Runs,
  shown: (command: Command) => Command = identity
): Effect.Effect<string | undefined> =>
  Effect.gen(function*() {
    for (let seed = seeds.first; seed < seeds.first + seeds.count; seed++) {
      const { commands, compare } = trialOf(seed)
      const difference = yield* compare(runs, commands)
      if (difference === undefined) continue
      const smallest = yield* shrink(compare, runs, commands)
      return report(seed, smallest.map(shown), (yield* compare(runs, smallest)) ?? difference)
    }
    return undefined
  })

/** The server through ioredis, in pipelines, and the memory behind the `Redis` of the context. */
export const makeRuns = Effect.gen(function*() {
  const { port } = yield* RedisServer.RedisServer
  const client = yield* Effect.acquireRelease(
    Effect.sync(() => new IoRedis({ port, protocol: 2 })),
    (client) => Effect.sync(() => client.disconnect())
  )
  const server: Run = (commands) =>
    Effect.promise(async () => {
      const pipeline = client.pipeline()
      for (const [name = "", ...args] of commands) pipeline.call(name, ...args)
      return (await pipeline.exec() ?? []).map(([error, reply]) => error ?? reply)
    })
  const redis = yield* Redis
  const memory: Run = (commands) =>
    Effect.forEach(commands, ([name = "", ...args]) =>
      Effect.match(redis.send<unknown>(name, ...args), {
        onFailure: (error) => error.cause,
        onSuccess: (reply) => reply
      }))
  return { server, memory } satisfies Runs
})
