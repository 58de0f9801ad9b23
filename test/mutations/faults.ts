/**
 * Faults that the cases of the memory server have to notice: each is planted in a copy of its sources.
 *
 * `search` stands in its file exactly once.
 */
export interface Fault {
  /** Below `src/internal`. */
  readonly file: string
  readonly search: string
  readonly replace: string
  /** What is wrong then. */
  readonly why: string
}

const memory: ReadonlyArray<Fault> = [
  {
    file: "memory/ids.ts",
    search: "now > last.ms ? { ms: now, seq: 0 } : next(last)",
    replace: "({ ms: now, seq: last.ms === now && typeof last.seq === \"number\" ? last.seq + 1 : 0 })",
    why: "ids go back when the clock does"
  },
  {
    file: "memory/ids.ts",
    search: "a.ms < b.ms ? -1 : a.ms > b.ms ? 1 :",
    replace: "`${a.ms}` < `${b.ms}` ? -1 : `${a.ms}` > `${b.ms}` ? 1 :",
    why: "ids are ordered as texts"
  },
  {
    file: "memory/streamCommands.ts",
    search: "overrun || Ids.compare(id, stream.lastId) <= 0)",
    replace: "overrun)",
    why: "XADD takes an id that is not greater than the last"
  },
  {
    file: "memory/streamCommands.ts",
    search: "if (trim !== undefined) Stream.trim(stream, trim)",
    replace: "",
    why: "XADD MAXLEN trims nothing"
  },
  {
    file: "memory/stream.ts",
    search: "      group.lastId = cell.id\n",
    replace: "",
    why: "a group reads the same entries again and again"
  },
  {
    file: "memory/stream.ts",
    search: "if (!options.noAck) {",
    replace: "{",
    why: "NOACK leaves entries pending"
  },
  {
    file: "memory/stream.ts",
    search: "    cell.value.deliveries++\n    return [cell.text, entry.fields]",
    replace: "    return [cell.text, entry.fields]",
    why: "reading the own history counts no delivery"
  },
  {
    file: "memory/stream.ts",
    search: "if (entry === undefined) return [cell.text, null]",
    replace: "if (entry === undefined) return [cell.text, []]",
    why: "an entry that was deleted looks like an empty one"
  },
  {
    file: "memory/stream.ts",
    search: "if (pending.consumer !== undefined) Ordered.remove(pending.consumer.pending, text)\n  return true",
    replace: "return true",
    why: "an acknowledged entry stays in the list of its consumer"
  },
  {
    file: "memory/stream.ts",
    search: "if (!options.approximate) {",
    replace: "{",
    why: "XTRIM ~ trims exactly"
  },
  {
    file: "memory/stream.ts",
    search: "if (options.limit > 0 && deleted + block.live > options.limit) break",
    replace: "",
    why: "XTRIM takes no notice of LIMIT"
  },
  {
    file: "memory/stream.ts",
    search: "return read === undefined ? null : self.entriesAdded - read",
    replace: "return read === undefined ? 0 : self.entriesAdded - read",
    why: "a lag that nobody can know is told as none"
  },
  {
    file: "memory/streamGroups.ts",
    search:
      "if (pending.consumer !== undefined && minIdle > 0 && now - pending.deliveredAt < minIdle) continue\n    take(group, pending, who, now, options",
    replace: "take(group, pending, who, now, options",
    why: "XCLAIM takes what is not idle for long enough"
  },
  {
    file: "memory/streamGroups.ts",
    search: "else if (!justId) pending.deliveries++",
    replace: "else pending.deliveries++",
    why: "JUSTID counts a delivery"
  },
  {
    file: "memory/streamGroups.ts",
    search: "if (retryCount !== undefined && retryCount >= 0) pending.deliveries = retryCount\n  else if",
    replace: "if",
    why: "XCLAIM takes no notice of RETRYCOUNT"
  },
  {
    file: "memory/streamGroups.ts",
    search: "      Stream.acknowledge(group, text)\n      continue\n    }\n    const pending = Ordered.get",
    replace: "      continue\n    }\n    const pending = Ordered.get",
    why: "XCLAIM leaves a deleted entry pending"
  },
  {
    file: "memory/streamGroups.ts",
    search: "      deleted.push(text)\n",
    replace: "",
    why: "XAUTOCLAIM does not tell what was deleted"
  },
  {
    file: "memory/streamGroups.ts",
    search: "if (minIdle !== 0 && idle < minIdle) return false",
    replace: "",
    why: "XPENDING takes no notice of IDLE"
  },
  {
    file: "memory/streamGroups.ts",
    search: "who === undefined ? group.pending : group.consumers.get(who)?.pending",
    replace: "group.pending",
    why: "XPENDING of one consumer tells of all, as Dragonfly's did"
  },
  {
    file: "memory/streamGroups.ts",
    search: "throw new ReplyError(\"BUSYGROUP Consumer Group name already exists\")",
    replace: "return \"OK\"",
    why: "a group can be made twice"
  },
  {
    file: "memory/streamGroups.ts",
    search: "`NOGROUP No such key '${key}' or consumer group '${name}'`",
    replace: "`ERR No such key '${key}' or consumer group '${name}'`",
    why: "a missing group is not told as NOGROUP"
  },
  {
    file: "memory/streamGroups.ts",
    search: "for (const cell of pending) Ordered.remove(group.pending, cell.text)",
    replace: "",
    why: "DELCONSUMER leaves what was pending in the group"
  },
  {
    file: "memory/streamInfo.ts",
    search: "Math.max(context.store.now - consumer.seenAt, 0)",
    replace: "0",
    why: "a consumer is never idle"
  },
  {
    file: "memory/store.ts",
    search: "return at !== undefined && self.now > at",
    replace: "return at !== undefined && self.now > at + 60_000",
    why: "keys outlive their time"
  },
  {
    file: "memory/store.ts",
    search: "if (!keepTtl) self.expires.delete(key)",
    replace: "",
    why: "SET keeps the time to live of the value before"
  },
  {
    file: "memory/store.ts",
    search: "if (value.kind === \"stream\") self.ready.add(key)\n  self.expires",
    replace: "self.expires",
    why: "who reads from a group is not told that its stream is gone"
  },
  {
    file: "memory/keys.ts",
    search: "if (flags.has(\"GT\") && (current === undefined || at <= current)) return 0",
    replace: "",
    why: "PEXPIRE GT shortens a time to live"
  },
  {
    file: "memory/strings.ts",
    search: "if ((nx && found) || (xx && !found)) return old",
    replace: "if (xx && !found) return old",
    why: "SET NX writes over what is there"
  },
  {
    file: "memory/hashes.ts",
    search: "return fields.size - before",
    replace: "return (argv.length - 2) / 2",
    why: "HSET counts fields that were there already"
  },
  {
    file: "memory/hashes.ts",
    search: "if (hash.fields.size === 0) Store.remove(context.store, key)",
    replace: "",
    why: "a hash without fields stays"
  },
  {
    file: "memory/zsets.ts",
    search: "max.exclusive ? score < max.value : score <= max.value",
    replace: "score <= max.value",
    why: "a limit that is left out is taken in"
  },
  {
    file: "memory/zsets.ts",
    search: "Math.min(to, from + options.offset + count))\n  return",
    replace: "to)\n  return",
    why: "ZRANGE takes no notice of LIMIT"
  },
  {
    file: "memory/lists.ts",
    search: "?? \"\"\n  if (items.length === 0) Store.remove(context.store, key)\n  return value",
    replace: "?? \"\"\n  return value",
    why: "an empty list stays"
  },
  {
    file: "memory/lists.ts",
    search: "brpop: blockingPop(\"RIGHT\")",
    replace: "brpop: blockingPop(\"LEFT\")",
    why: "BRPOP takes from the wrong end"
  },
  {
    file: "memory/lists.ts",
    search: "const limit = count ?? 1",
    replace: "const limit = 1",
    why: "BLMPOP takes no notice of COUNT"
  },
  {
    file: "memory/engine.ts",
    search: "for (const ticket of Array.from(tickets)) {",
    replace: "for (const ticket of Array.from(tickets).reverse()) {",
    why: "who waits last is served first"
  },
  {
    file: "memory/engine.ts",
    search: "else if (client.blocked !== undefined || client.queue.length > 0) client.queue.push(ticket)",
    replace: "",
    why: "commands overtake one that waits on their connection"
  },
  {
    file: "memory/engine.ts",
    search: "if (connection.blocked !== undefined) settle(self, connection.blocked, connectionClosed())",
    replace: "",
    why: "what waits on a connection that is closed is never told"
  },
  {
    file: "memory/engine.ts",
    search: "for (const listener of listeners) listener(message)",
    replace: "listeners[0]?.(message)",
    why: "a published message reaches one subscriber only"
  },
  {
    file: "memory/hostCommands.ts",
    search: "clients = clients.filter((client) => ids.has(client.id))",
    replace: "",
    why: "CLIENT LIST ID tells of every connection"
  },
  {
    file: "memory/hostCommands.ts",
    search: "client !== undefined && context.host.unblock(client, error)",
    replace: "client !== undefined && context.host.unblock(client, undefined)",
    why: "CLIENT UNBLOCK takes no notice of ERROR"
  },
  {
    file: "memory/scripting.ts",
    search: "if (lua === undefined) throw noScript()",
    replace: "if (lua === undefined) return null",
    why: "an unknown script replies with nil"
  },
  {
    file: "memory/scripting.ts",
    search: "context.scripts.clear()",
    replace: "",
    why: "SCRIPT FLUSH forgets nothing"
  },
  {
    file: "memory/arguments.ts",
    search: "new ReplyError(\"WRONGTYPE Operation",
    replace: "new ReplyError(\"ERR Operation",
    why: "a value of the wrong type is not told as WRONGTYPE"
  }
]

/** The bridge between the server and the Lua VM, and the commands that scripts use. */
const bridge: ReadonlyArray<Fault> = [
  {
    file: "memory/lua/patches.ts",
    search: "value.setsvalue(lstring.luaS_bless(L, toLua(Numbers.print(value.value))))",
    replace: "value.setsvalue(lstring.luaS_bless(L, toLua(String(value.value))))",
    why: "numbers in texts are printed as JavaScript prints them"
  },
  {
    file: "memory/lua/patches.ts",
    search: "result.setfltvalue(value)",
    replace: "result.setfltvalue(value | 0)",
    why: "numbers have 32 bits"
  },
  {
    file: "memory/lua/patches.ts",
    search: "if (table.readonly === true) ldebug",
    replace: "if (false) ldebug",
    why: "tables of the server can be written"
  },
  {
    file: "memory/lua/patches.ts",
    search: "variable.subarray(2, -1)",
    replace: "variable.subarray(2)",
    why: "an error names its variable with a bracket too many"
  },
  {
    file: "memory/lua/hashes.ts",
    search: "lstring.luaS_hash = (bytes) => `|${fromLua(bytes)}`",
    replace: "lstring.luaS_hash = (bytes) => `|${bytes.length}`",
    why: "texts of one length are one key of a table"
  },
  {
    file: "memory/lua/numbers.ts",
    search: "if (hex !== null) return ofHexadecimal(hex)",
    replace: "if (hex !== null) return undefined",
    why: "hexadecimal numbers are none"
  },
  {
    file: "memory/lua/numbers.ts",
    search: "Number(last) % 2 === 0 ?",
    replace: "false ?",
    why: "numbers in the middle are rounded up"
  },
  {
    file: "memory/lua/numbers.ts",
    search: "const withExponent = (text: string): string => text.replace(/e([+-])(\\d)$/, \"e$10$2\")",
    replace: "const withExponent = (text: string): string => text",
    why: "exponents have one digit"
  },
  {
    file: "memory/lua/strings.ts",
    search: "toString(\"latin1\")",
    replace: "toString(\"utf8\")",
    why: "long texts are read as UTF-8"
  },
  {
    file: "memory/lua/compatibility.ts",
    search: "if (lua.lua_type(L, -1) === lua.LUA_TSTRING) lua.lua_replace(L, -2)",
    replace: "if (false) lua.lua_replace(L, -2)",
    why: "pcall gives the table of an error"
  },
  {
    file: "memory/lua/compatibility.ts",
    search: "const mostUnpacked = 8_000",
    replace: "const mostUnpacked = 800_000",
    why: "unpack has no bound"
  },
  {
    file: "memory/lua/compatibility.ts",
    search: "if (position < 1 || position > end) return 0",
    replace: "if (position < 1) return 0",
    why: "removing beyond the end gives nil"
  },
  {
    file: "memory/lua/compatibility.ts",
    search: "[\"table\", [\"pack\", \"unpack\", \"move\"]]",
    replace: "[\"table\", []]",
    why: "functions of 5.3 are there"
  },
  {
    file: "memory/lua/format.ts",
    search: "if (flags.includes(\"-\")) return text.padEnd(width)",
    replace: "",
    why: "%-5s is not filled at the right"
  },
  {
    file: "memory/lua/format.ts",
    search: "bytes.split(\"\\0\", 1)[0]!.slice(0, precision)",
    replace: "bytes.slice(0, precision)",
    why: "%s goes on behind a NUL"
  },
  {
    file: "memory/lua/cjson.ts",
    search: "const maxDepth = 1_000",
    replace: "const maxDepth = 2_000",
    why: "cjson nests deeper than the server's"
  },
  {
    file: "memory/lua/cjson.ts",
    search: "if (length > items * 2 && length > 10) return raise",
    replace: "if (false) return raise",
    why: "cjson writes sparse arrays"
  },
  {
    file: "memory/lua/cjson.ts",
    search: "result += Buffer.from(character, \"utf8\").toString(\"latin1\")",
    replace: "result += character",
    why: "escapes of cjson are not UTF-8"
  },
  {
    file: "memory/lua/cjson.ts",
    search: "\"/\": \"\\\\/\",\n  \"\\b\"",
    replace: "\"\\b\"",
    why: "cjson leaves slashes as they are"
  },
  {
    file: "memory/lua/machine.ts",
    search: "const mostUpvalues = 60",
    replace: "const mostUpvalues = 255",
    why: "a function may have any number of upvalues"
  },
  {
    file: "memory/lua/machine.ts",
    search: "`${message}\\0${line}`",
    replace: "message",
    why: "errors do not say where"
  },
  {
    file: "memory/lua/machine.ts",
    search: "if (source.refusal !== undefined) throw",
    replace: "if (false) throw",
    why: "operators of 5.3 are taken"
  },
  {
    file: "memory/lua/machine.ts",
    search: "\"$3 has more than $2 $1\"",
    replace: "\"$3 $2 $1\"",
    why: "too many locals are refused in other words"
  },
  {
    file: "memory/lua/machine.ts",
    search: "setField(L, \"ARGV\", () => pushStrings(L, args))",
    replace: "setField(L, \"ARGV\", () => pushStrings(L, keys))",
    why: "arguments are the keys"
  },
  {
    file: "memory/lua/machine.ts",
    search: "  setFunctions(L, { __index: globalMissing })\n",
    replace: "  setFunctions(L, {})\n",
    why: "a missing global is nil"
  },
  {
    file: "memory/lua/syntax.ts",
    search: "\"xzu\".includes(letter) ? letter : escape",
    replace: "escape",
    why: "escapes of 5.3 are taken"
  },
  {
    file: "memory/lua/redisLibrary.ts",
    search: "else if (reply === null) lua.lua_pushboolean(L, false)",
    replace: "else if (reply === null) lua.lua_pushnil(L)",
    why: "a reply of nil is nil in a script"
  },
  {
    file: "memory/lua/redisLibrary.ts",
    search: "return lua.lua_toboolean(L, -1) ? 1 : null",
    replace: "return lua.lua_toboolean(L, -1) ? 1 : 0",
    why: "false is told as 0"
  },
  {
    file: "memory/lua/redisLibrary.ts",
    search: "Math.trunc(value) : -(2 ** 63)",
    replace: "value : -(2 ** 63)",
    why: "a number keeps its fraction in a reply"
  },
  {
    file: "memory/lua/redisLibrary.ts",
    search: "if (error !== undefined) throw new ReplyError(oneLine(error))",
    replace: "",
    why: "a table with an error is an empty list"
  },
  {
    file: "memory/lua/redisLibrary.ts",
    search: "if (status !== undefined) return new Status(oneLine(status))",
    replace: "",
    why: "a table with a status is an empty list"
  },
  {
    file: "memory/lua/redisLibrary.ts",
    search: "argv.push(formatDouble(lua.lua_tonumber(L, i)))",
    replace: "argv.push(String(lua.lua_tonumber(L, i) | 0))",
    why: "numbers lose digits on their way to a command"
  },
  {
    file: "memory/lua/redisLibrary.ts",
    search: "return raises ? lua.lua_error(L) : 1",
    replace: "return 1",
    why: "redis.call raises nothing"
  },
  {
    file: "memory/lua/redisLibrary.ts",
    search: "text.includes(\" \") ? text : `ERR ${text}`",
    replace: "text",
    why: "error_reply adds no ERR"
  },
  {
    file: "memory/bytes.ts",
    search: "Buffer.from(text, \"utf8\").toString(\"latin1\")",
    replace: "text",
    why: "characters are bytes"
  },
  {
    file: "memory/bytes.ts",
    search: "Buffer.from(bytes, \"latin1\").toString(\"utf8\")",
    replace: "bytes",
    why: "replies are bytes"
  },
  {
    file: "memory/zsets.ts",
    search: "return order < 0 || (order === 0 && (limit.kind === \"(\") !== upper)",
    replace: "return order < 0",
    why: "a limit of text is left out though it belongs in"
  },
  {
    file: "memory/zsets.ts",
    search: "zremrangebylex: removeRange(byLex)",
    replace: "zremrangebylex: removeRange(byScore)",
    why: "a range of text is removed by scores"
  },
  {
    file: "memory/zsets.ts",
    search: "zrevrangebylex: range(\"lex\", true, false)",
    replace: "zrevrangebylex: range(\"lex\", false, false)",
    why: "a range of text is not turned round"
  },
  {
    file: "memory/scripting.ts",
    search: "const digest = (argv[1] ?? \"\").toLowerCase()",
    replace: "const digest = argv[1] ?? \"\"",
    why: "EVALSHA takes no large letters"
  },
  {
    file: "memory/scripting.ts",
    search: "argv.slice(3 + numberOfKeys)",
    replace: "argv.slice(3)",
    why: "keys are arguments too"
  }
]

export const faults: ReadonlyArray<Fault> = [...memory, ...bridge]
