/**
 * Faults that the conformance suite has to notice: each is planted in a copy of the memory layer or of a twin.
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
    search: "context.scripts.loaded.clear()",
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

const twins: ReadonlyArray<Fault> = [
  {
    file: "scripts/settle.twin.ts",
    search: "if (owned.has(id)) return owned.get(id) === deliveries",
    replace: "if (owned.has(id)) return true",
    why: "a late outcome settles a later delivery"
  },
  {
    file: "scripts/settle.twin.ts",
    search: "pending.filter((row) => row[1] === consumer).map((row) => [String(row[0]), row[3]] as const)",
    replace:
      "rows(redis.call(\"XPENDING\", stream, group, \"-\", \"+\", 9)).map(rows).map((row) => [String(row[0]), row[3]] as const)",
    why: "the entries of another consumer are settled"
  },
  {
    file: "scripts/settle.twin.ts",
    search: "    if (done.has(id)) return false\n",
    replace: "",
    why: "an entry that stands twice in a batch is settled twice"
  },
  {
    file: "scripts/support.twin.ts",
    search: "redis.call(\"PEXPIRE\", key, extra.slice(1), \"GT\")",
    replace: "redis.call(\"PEXPIRE\", key, extra.slice(1))",
    why: "a push brings the expiry of a callback list forward"
  },
  {
    file: "scripts/support.twin.ts",
    search: "} else if (length === 1) {",
    replace: "} else if (length === 0) {",
    why: "a callback list that a push makes lives for ever"
  },
  {
    file: "scripts/support.twin.ts",
    search: "if (extra !== \"0\") redis.call(\"PEXPIRE\", key, extra)",
    replace: "if (extra !== \"0\") redis.call(\"PEXPIRE\", key, extra)\n      else redis.call(\"PERSIST\", key)",
    why: "a push without a time to live takes away the one that is there"
  },
  {
    file: "scripts/settle.twin.ts",
    search: "if (kind === \"l\" && renewed.get(key) === extra) return",
    replace: "if (kind === \"l\" && renewed.has(key)) return",
    why: "a list lives no longer than its first answer says"
  },
  {
    file: "scripts/settle.twin.ts",
    search: "if (letter === undefined) return report(index, \"incomplete\")",
    replace: "if (letter === undefined) return",
    why: "an answer without notes that cannot be pushed is reported as settled"
  },
  {
    file: "scripts/settle.twin.ts",
    search: "if (kind === \"l\" && renewed.get(key)",
    replace: "if (renewed.get(key)",
    why: "an action for a stream is pushed to the list that has its name"
  },
  {
    file: "scripts/settle.twin.ts",
    search: "          renewed.delete(answer.key)\n",
    replace: "",
    why: "a list that is made anew in a call lives for ever"
  },
  {
    file: "scripts/settle.twin.ts",
    search: "      acknowledge()\n      const buried",
    replace: "      plain = []\n      const buried",
    why: "entries before a dead letter are not acknowledged"
  },
  {
    file: "scripts/settle.twin.ts",
    search: "letter.push(\"undeliverable\", reply.message, \"answer\", answer.payload)",
    replace: "letter.push(\"undeliverable\", reply.message)",
    why: "an answer that cannot be delivered is lost"
  },
  {
    file: "scripts/settle.twin.ts",
    search: "redis.call(\"LPOP\", answer.key)",
    replace: "redis.call(\"TYPE\", answer.key)",
    why: "an answer is not taken back when its dead letter cannot be written"
  },
  {
    file: "scripts/settle.twin.ts",
    search: ".length === 1) redis.call(\"XDEL\", stream, ...acknowledged)",
    replace: ".length > 0) redis.call(\"XDEL\", stream, ...acknowledged)",
    why: "entries are deleted that another group has not read"
  },
  {
    file: "scripts/settle.twin.ts",
    search: "redis.call(\"XCLAIM\", stream, group, waiting, 0, id, \"JUSTID\")",
    replace: "redis.call(\"XCLAIM\", stream, group, waiting, 0, id)",
    why: "a retry is counted as a delivery already when it is decided"
  },
  {
    file: "scripts/settle.twin.ts",
    search: "    letter.push(\"packed\", fields.map((field) => `${byteLength(field)}:${field},`).join(\"\"))",
    replace: "    letter.push(\"packed\", fields.map((field) => `${field.length}:${field},`).join(\"\"))",
    why: "packed fields are measured in characters"
  },
  {
    file: "scripts/take.twin.ts",
    search: "} else if (rows(row)[1] !== waiting) {",
    replace: "} else if (rows(row)[1] === \"nobody\") {",
    why: "a due entry is taken from the consumer that runs it"
  },
  {
    file: "scripts/take.twin.ts",
    search: "redis.call(\"ZADD\", due, time + putOff, id)",
    replace: "redis.call(\"ZREM\", due, id)",
    why: "a suspect that has to wait is forgotten"
  },
  {
    file: "scripts/take.twin.ts",
    search: "Math.max(Number(args[7]), Number(redis.call(\"GET\", leaseKey) ?? 0))",
    replace: "Number(args[7])",
    why: "the longer lease of the group is not kept"
  },
  {
    file: "scripts/take.twin.ts",
    search: "if (Number(value(\"idle\")) >= removeAfter) {",
    replace: "if (Number(value(\"idle\")) >= 0) {",
    why: "consumers are removed that were idle for a moment"
  },
  {
    file: "scripts/take.twin.ts",
    search: "        target = alone\n",
    replace: "",
    why: "a suspect runs beside others"
  },
  {
    file: "scripts/take.twin.ts",
    search: "redis.call(\"XCLAIM\", stream, group, consumer, 0, id, \"RETRYCOUNT\", deliveries)",
    replace: "redis.call(\"XCLAIM\", stream, group, consumer, 0, id)",
    why: "taking the own entries counts a delivery"
  },
  {
    file: "scripts/lease.twin.ts",
    search: "return Math.max(current, wished)",
    replace: "return wished",
    why: "a shorter lease is replied than the one that holds"
  },
  {
    file: "scripts/lease.twin.ts",
    search: "else if (rows(row)[1] === consumer) held.push(id)",
    replace: "else held.push(id)",
    why: "renewing takes an entry back from who took it over"
  },
  {
    file: "scripts/lease.twin.ts",
    search: "if (released === 0) redis.call(\"XGROUP\", \"DELCONSUMER\", stream, group, consumer)\n    return",
    replace: "return",
    why: "a consumer that is done stays in the group"
  },
  {
    file: "scripts/lease.twin.ts",
    search: "`${attempts} ${Number(outcomes) + 1} ${since}`",
    replace: "`${Number(attempts) + 1} ${Number(outcomes) + 1} ${since}`",
    why: "a release costs an attempt"
  },
  {
    file: "scripts/streams.twin.ts",
    search: "texts.map((text) =>",
    replace: "texts.toReversed().map((text) =>",
    why: "append writes in the wrong order"
  },
  {
    file: "scripts/streams.twin.ts",
    search: "redis.call(\"LINDEX\", list, -1)",
    replace: "redis.call(\"LINDEX\", list, 0)",
    why: "callbacks are moved that are not the ones removed"
  },
  {
    file: "scripts/streams.twin.ts",
    search: "      const first = pending > 0\n",
    replace: "      const first = pending > 1e9\n",
    why: "trimming takes what is pending"
  },
  {
    file: "scripts/streams.twin.ts",
    search: "if (before(newest, lowest)) lowest = newest\n",
    replace: "\n",
    why: "trimming takes what is to be retained"
  },
  {
    file: "scripts/streams.twin.ts",
    search: "fields.findIndex((field, index) => index % 2 === 0 && field === \"data\")",
    replace: "fields.findIndex((field) => field !== \"data\") - 1",
    why: "replacements are counted in another field"
  },
  {
    file: "scripts/rehearse.twin.ts",
    search: "if (held !== \"none\" && held !== \"stream\") throw new ReplyError(`WRONGTYPE ${dead} holds a ${held}`)",
    replace: "",
    why: "a dead-letter stream of another type is not noticed"
  },
  {
    file: "scripts/deadLetter.twin.ts",
    search: "wanted[2]?.has(letter?.notes.get(\"error_type\") ?? \"\") !== false",
    replace: "true",
    why: "letters are not filtered by the type of their error"
  },
  {
    file: "scripts/deadLetter.twin.ts",
    search: "if (matched >= limit || bytes >= budget) return id\n      if (reverse) to = `(${id}`",
    replace: "if (matched >= limit) return id\n      if (reverse) to = `(${id}`",
    why: "a scan reads beyond its bytes"
  },
  {
    file: "scripts/deadLetter.twin.ts",
    search: "i % 2 === 1 && fields[i - 1] === \"answer\" ? \"\" : text",
    replace: "text",
    why: "a scan tells answers"
  },
  {
    file: "scripts/deadLetter.twin.ts",
    search: "    group[5] = id\n",
    replace: "",
    why: "the last letter of a count is the first"
  },
  {
    file: "scripts/deadLetter.twin.ts",
    search: "if (!notes.has(name)) notes.set(name, value)",
    replace: "notes.set(name, value)",
    why: "of a note that stands there twice the last counts"
  },
  {
    file: "scripts/deadLetterMoves.twin.ts",
    search: "hops >= Number(maxHops)) {",
    replace: "hops > Number(maxHops)) {",
    why: "a letter is replayed once too often"
  },
  {
    file: "scripts/deadLetterMoves.twin.ts",
    search: "        redis.call(\"XDEL\", dead, id)\n        done.push",
    replace: "        done.push",
    why: "a replayed letter stays, and can be replayed again"
  },
  {
    file: "scripts/deadLetterMoves.twin.ts",
    search: "if (i < letter.first && (name === \"answer\" || name === \"undeliverable\")) continue",
    replace: "if (name === \"answer\" || name === \"undeliverable\") continue",
    why: "a field of the sender is taken for the kept answer"
  },
  {
    file: "scripts/deadLetterMoves.twin.ts",
    search:
      "    if (!/^\\+?\\d+$/.test(ttl) || ttl.length > maxDigits) return [\"refused\", `ERR no time to live: ${ttl}`]\n",
    replace: "",
    why: "a time to live that the server does not take fails after the answer is pushed"
  },
  {
    file: "scripts/deadLetterMoves.twin.ts",
    search: "if (dropped === 0) dropped = Number(redis.call(\"XTRIM\", key, \"MINID\", \"=\", oldest))",
    replace: "",
    why: "letters of one block outlive their age"
  },
  {
    file: "scripts/deadLetterMoves.twin.ts",
    search: "Math.max(Number(maxCount), length - Number(limit))",
    replace: "Number(maxCount)",
    why: "bounding drops any number in one call"
  }
]

export const faults: ReadonlyArray<Fault> = [...memory, ...twins]
