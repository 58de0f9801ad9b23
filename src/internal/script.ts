/**
 * What a Lua script of the library and its TypeScript twin have in common.
 *
 * A twin is a line-by-line port of the Lua beside it. `RedisMemory` runs twins,
 * a real server runs the Lua; one conformance suite compares the two.
 */

/** A reply as a script sees it: RESP2 values, with `null` for Lua's `false`. */
export type ScriptReply = string | number | null | ReadonlyArray<ScriptReply>

/** An error reply, its message as the server words it (`WRONGTYPE …`, `NOGROUP …`). */
export class ReplyError extends Error {
  override readonly name = "ReplyError"
}

/** The commands that a twin may run: synchronous, as `redis.call` and `redis.pcall` are. */
export interface ScriptRedis {
  /** Throws a {@link ReplyError}, which ends the script as in Lua: what was written stays written. */
  readonly call: (command: string, ...args: ReadonlyArray<string | number>) => ScriptReply
  /** Returns the error instead of throwing it. */
  readonly pcall: (command: string, ...args: ReadonlyArray<string | number>) => ScriptReply | ReplyError
}

/** The port of a script: same keys, same arguments, same reply. */
export type Twin = (
  redis: ScriptRedis,
  keys: ReadonlyArray<string>,
  args: ReadonlyArray<string>
) => ScriptReply

/** A Lua source together with its twin. */
export interface Definition {
  readonly lua: string
  readonly twin: Twin
}
