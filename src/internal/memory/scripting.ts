/**
 * EVAL, EVALSHA and SCRIPT: a script is known by its Lua text and run by its
 * TypeScript twin.
 */
import { createHash } from "node:crypto"
import type { Definition, ScriptRedis, ScriptReply, Twin } from "../scripts/script.ts"
import { ReplyError } from "../scripts/script.ts"
import * as Args from "./arguments.ts"
import type { Context, Handlers, Reply } from "./command.ts"

export interface Scripts {
  readonly twins: Map<string, Twin>
  /** What SCRIPT LOAD and EVAL have seen: digest to Lua. */
  readonly loaded: Map<string, string>
}

export const make = (definitions: Iterable<Definition>): Scripts => {
  const scripts: Scripts = { twins: new Map(), loaded: new Map() }
  for (const { lua, twin } of definitions) scripts.twins.set(lua, twin)
  return scripts
}

const sha1 = (text: string): string => createHash("sha1").update(text).digest("hex")

const load = (scripts: Scripts, lua: string): string => {
  const digest = sha1(lua)
  scripts.loaded.set(digest, lua)
  return digest
}

const withoutTwin = (digest: string, lua: string): ReplyError => {
  const start = lua.trim().split("\n", 1)[0]?.slice(0, 60) ?? ""
  return new ReplyError(
    `ERR RedisMemory runs no Lua, and the script ${digest} ("${start}…") has no TypeScript twin: ` +
      "give one to RedisMemory.layerOptions or RedisMemory.makeServer as { scripts: [{ lua, twin }] }"
  )
}

/** Numbers become text as Lua prints them, so that arguments of a twin look like those of its Lua. */
const toArgument = (value: string | number): string => typeof value === "string" ? value : Args.formatDouble(value)

const scriptError = (message: string): ReplyError => new ReplyError(`ERR ${message}`)

const redisFor = (context: Context): ScriptRedis => {
  const call = (command: string, ...args: ReadonlyArray<string | number>): ScriptReply =>
    context.run({ ...context, inScript: true }, [command, ...args.map(toArgument)])
  return {
    call,
    pcall: (command, ...args) => {
      try {
        return call(command, ...args)
      } catch (error) {
        if (error instanceof ReplyError) return error
        throw error
      }
    }
  }
}

/** A number loses its fraction on the way out of Lua, and all sense when it is no 64-bit integer. */
const toInteger = (value: number): number => value >= -(2 ** 63) && value < 2 ** 63 ? Math.trunc(value) : -(2 ** 63)

const toReply = (value: ScriptReply): Reply =>
  typeof value === "number" ? toInteger(value) : Array.isArray(value) ? value.map(toReply) : value

const evaluate = (context: Context, digest: string, lua: string, argv: ReadonlyArray<string>): Reply => {
  const numberOfKeys = Args.integer(argv[2] ?? "")
  if (numberOfKeys > argv.length - 3) throw scriptError("Number of keys can't be greater than number of args")
  if (numberOfKeys < 0) throw scriptError("Number of keys can't be negative")
  const twin = context.scripts.twins.get(lua)
  if (twin === undefined) throw withoutTwin(digest, lua)
  const redis = redisFor(context)
  try {
    return toReply(twin(redis, argv.slice(3, 3 + numberOfKeys), argv.slice(3 + numberOfKeys)))
  } catch (error) {
    // the server adds where in the Lua it happened
    if (error instanceof ReplyError) throw new ReplyError(`${error.message} script: ${digest}, on @user_script.`)
    throw error
  }
}

const noScript = (): ReplyError => new ReplyError("NOSCRIPT No matching script. Please use EVAL.")

export const scripting: Handlers = {
  eval: (context, argv) => {
    const lua = argv[1] ?? ""
    Args.integer(argv[2] ?? "")
    return evaluate(context, load(context.scripts, lua), lua, argv)
  },
  evalsha: (context, argv) => {
    const digest = (argv[1] ?? "").toLowerCase()
    if (digest.length !== 40) throw noScript()
    Args.integer(argv[2] ?? "")
    const lua = context.scripts.loaded.get(digest)
    if (lua === undefined) throw noScript()
    return evaluate(context, digest, lua, argv)
  },
  "script|load": (context, [, , lua = ""]) => load(context.scripts, lua),
  "script|exists": (context, argv) =>
    argv.slice(2).map((digest) => context.scripts.loaded.has(digest.toLowerCase()) ? 1 : 0),
  "script|flush": (context, argv) => {
    const mode = argv[2]?.toUpperCase()
    if (argv.length > 3 || (mode !== undefined && mode !== "SYNC" && mode !== "ASYNC")) {
      throw scriptError("SCRIPT FLUSH only support SYNC|ASYNC option")
    }
    context.scripts.loaded.clear()
    return "OK"
  }
}
