/**
 * What a node of a cluster says instead of running a command, and what to do then. The command was refused, so sending it
 * again cannot run it twice. A command whose connection broke is never sent again.
 */
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import type * as Redis from "../../Redis.ts"
import type { Send } from "./connection.ts"
import { codeOf, describe, ownError } from "./error.ts"
import { rest } from "./timer.ts"

/** The word of a refusal. */
export type Turn = "MOVED" | "ASK" | "TRYAGAIN" | "CLUSTERDOWN" | "NOSCRIPT"

const turns: ReadonlySet<string | undefined> = new Set(["MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "NOSCRIPT"])

export const turnOf = (error: Redis.RedisError): Turn | undefined => {
  const code = codeOf(error)
  // SAFETY: the set has exactly the words of `Turn`.
  return turns.has(code) ? code as Turn : undefined
}

/** `MOVED 3999 127.0.0.1:6381`: where the slot is. */
export const placeOf = (error: Redis.RedisError): string => describe(error.cause).message.split(" ")[2] ?? ""

/**
 * How long a command is sent again before the caller gets the refusal, in milliseconds: long enough for what ends by itself
 * soon, such as the last moments of a migration.
 */
const patience = 2_000

/** How often a command follows without a pause. */
const atOnce = 3

const longestPause = 200

/** Waits before the next turn; fails when there were enough. */
export const makePatience = () => {
  const until = performance.now() + patience
  let count = 0
  return (turn: Turn, error: Redis.RedisError): Effect.Effect<void, Redis.RedisError> => {
    count++
    if (performance.now() > until) return Effect.fail(spent(turn, error))
    return count <= atOnce && turn !== "TRYAGAIN" && turn !== "CLUSTERDOWN"
      ? Effect.void
      : rest(Math.min(longestPause, 10 * 2 ** count))
  }
}

/** The caller cannot follow a redirection, so it gets the kind of trouble instead. */
const spent = (turn: Turn, error: Redis.RedisError): Redis.RedisError =>
  turn === "MOVED" || turn === "ASK"
    ? ownError(`Too many Cluster redirections: ${describe(error.cause).message}`, "CLUSTERDOWN")
    : error

/** The texts of scripts by their hash. `SCRIPT LOAD` has no key, so it would reach one node, and not the one that needs it. */
export interface Scripts {
  readonly load: (text: string) => string
  /** The command that a node without the script can run. */
  readonly whole: (command: string, args: ReadonlyArray<string>) => ReadonlyArray<string> | undefined
}

export const makeScripts = (): Scripts => {
  const texts = new Map<string, string>()
  return {
    load: (text) => {
      const hash = createHash("sha1").update(text).digest("hex")
      texts.set(hash, text)
      return hash
    },
    whole: (command, [hash = "", ...args]) => {
      const text = command.toUpperCase() === "EVALSHA" ? texts.get(hash) : undefined
      return text === undefined ? undefined : [text, ...args]
    }
  }
}

/** Sends a command, and the whole script if the node does not have it. */
export const withScript = (
  scripts: Scripts,
  send: Send,
  command: string,
  args: ReadonlyArray<string>
): Effect.Effect<unknown, Redis.RedisError> =>
  Effect.catch(send(command, ...args), (error) => {
    const whole = turnOf(error) === "NOSCRIPT" ? scripts.whole(command, args) : undefined
    return whole === undefined ? Effect.fail(error) : send("EVAL", ...whole)
  })
