/**
 * `npm run check:scripts`: loads every script of the library into a real server, which compiles it. The Lua of Redis refuses
 * what the Lua VM of the memory server might take.
 */
import * as Effect from "effect/Effect"
import { libraryScripts } from "../test/support/libraryScripts.ts"
import { start } from "../test/support/redisServer.ts"
import { findRedisServer } from "./redis-binary.ts"

process.env["REDIS_SERVER"] ??= findRedisServer()

const check = Effect.gen(function*() {
  const server = yield* start()
  for (const { lua, name } of libraryScripts) {
    yield* Effect.mapError(server.cli("SCRIPT", "LOAD", lua), ({ message }) => `${name}: ${message}`)
  }
  return libraryScripts.length
})

await Effect.runPromise(Effect.scoped(check)).then(
  (count) => process.stdout.write(`${count} scripts compile on the server\n`),
  (error: unknown) => {
    process.stderr.write(`The server refuses a script: ${String(error)}\n`)
    process.exitCode = 1
  }
)
