/**
 * EVAL, EVALSHA and SCRIPT: the server's side of scripts, which the Lua VM runs.
 */
import { createHash } from "node:crypto"
import * as Args from "./arguments.ts"
import type { Context, Handlers, Reply } from "./command.ts"
import * as Machine from "./lua/machine.ts"
import { ReplyError } from "./replyError.ts"
import { ok } from "./status.ts"

/** What SCRIPT LOAD and EVAL have seen: digest to Lua. */
export type Scripts = Map<string, string>

const sha1 = (bytes: string): string => createHash("sha1").update(bytes, "latin1").digest("hex")

/** Keeps a script that compiles. */
const load = (scripts: Scripts, lua: string): string => {
  const digest = sha1(lua)
  if (!scripts.has(digest)) {
    Machine.compile(lua)
    scripts.set(digest, lua)
  }
  return digest
}

const scriptError = (message: string): ReplyError => new ReplyError(`ERR ${message}`)

const evaluate = (context: Context, digest: string, lua: string, argv: ReadonlyArray<string>): Reply => {
  const numberOfKeys = Args.integer(argv[2] ?? "")
  if (numberOfKeys > argv.length - 3) throw scriptError("Number of keys can't be greater than number of args")
  if (numberOfKeys < 0) throw scriptError("Number of keys can't be negative")
  const inScript: Context = { ...context, inScript: true }
  return Machine.run(
    Machine.compile(lua),
    digest,
    argv.slice(3, 3 + numberOfKeys),
    argv.slice(3 + numberOfKeys),
    (command) => context.run(inScript, command)
  )
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
    const lua = context.scripts.get(digest)
    if (lua === undefined) throw noScript()
    return evaluate(context, digest, lua, argv)
  },
  "script|load": (context, [, , lua = ""]) => load(context.scripts, lua),
  "script|exists": (context, argv) => argv.slice(2).map((digest) => context.scripts.has(digest.toLowerCase()) ? 1 : 0),
  "script|flush": (context, argv) => {
    const mode = argv[2]?.toUpperCase()
    if (argv.length > 3 || (mode !== undefined && mode !== "SYNC" && mode !== "ASYNC")) {
      throw scriptError("SCRIPT FLUSH only support SYNC|ASYNC option")
    }
    context.scripts.clear()
    return ok
  }
}
