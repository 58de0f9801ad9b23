/**
 * Scripts as commands. The time in them is moved in steps of a million milliseconds, so that real milliseconds do not matter.
 */
import { createHash } from "node:crypto"
import type { LibraryScript } from "../../src/internal/scripts/script.ts"
import type { Command } from "../support/redisCommands.ts"

/** A step of time, in milliseconds. */
export const step = 1_000_000

/** The texts of the scripts that have become commands, by their digest. */
export const texts = new Map<string, string>()

const sha1 = (text: string) => createHash("sha1").update(text).digest("hex")

export const evaluate = <Params>({ lua, script }: LibraryScript<Params>, params: Params): Command => {
  const digest = sha1(lua)
  texts.set(digest, lua)
  return ["EVALSHA", digest, String(script.numberOfKeys(params)), ...script.params(params).map(String)]
}

/** With the text in place of its digest, so that `redis-cli` takes it without any preparation. */
export const withText = (command: Command): Command => {
  const [name, digest = "", ...rest] = command
  const lua = texts.get(digest)
  return name === "EVALSHA" && lua !== undefined ? ["EVAL", lua, ...rest] : command
}

export const command = (...words: ReadonlyArray<string | number>): Command => words.map(String)

/** What a sequence is made of: commands that make a state, calls of scripts on it, and commands that read all of it. */
export interface Play {
  readonly commands: ReadonlyArray<Command>
  readonly state: ReadonlyArray<Command>
}
