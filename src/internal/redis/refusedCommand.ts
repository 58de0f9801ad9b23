/**
 * Names the command that a script was not allowed to run.
 *
 * Servers before 7.2 say only in which line of a script it was. The text of the script says the rest.
 */
import * as Effect from "effect/Effect"
import { Redis, type RedisError, type Script } from "../../Redis.ts"
import { failureOf, textOf } from "./failure.ts"
import { redisError } from "./redisError.ts"

const lineIn = /\bon @?user_script:(\d+)/
const callIn = /\bp?call\(\s*'([A-Z]+)'(?:,\s*'([A-Z]+)')?/g

/** Commands whose first argument is a part of their name. */
const containers: ReadonlySet<string> = new Set(["XINFO", "XGROUP", "SCRIPT", "CLIENT", "ACL"])

/** The commands in a line of a script, as an ACL names them. */
export const commandsAt = (lua: string, line: number): ReadonlyArray<string> => {
  const found = (lua.split("\n")[line - 1] ?? "").matchAll(callIn)
  return [
    ...new Set(
      [...found].map(([, command = "", sub]) =>
        (sub !== undefined && containers.has(command) ? `${command}|${sub}` : command).toLowerCase()
      )
    )
  ]
}

/** The same error, with the name of the command in its text. */
const named = (lua: string) => (error: RedisError): RedisError => {
  if (failureOf(error) !== "NoPermission") return error
  const text = textOf(error)
  if (/the '[^']+' command/.test(text)) return error
  const line = lineIn.exec(text)?.[1]
  if (line === undefined) return error
  const commands = commandsAt(lua, Number(line))
  return commands.length === 1
    ? redisError(new Error(`NOPERM this user has no permissions to run the '${commands[0]}' command in a script`))
    : error
}

/** A connection whose refusals in scripts name the command. */
export const naming = (redis: Redis["Service"]): Redis["Service"] =>
  Redis.of({
    ...redis,
    eval: <Config extends { readonly params: ReadonlyArray<unknown>; readonly result: unknown }>(
      script: Script<Config>
    ) => {
      const run = redis.eval(script)
      const name = named(script.lua)
      return (...params: Config["params"]) => Effect.mapError(run(...params), name)
    }
  })
