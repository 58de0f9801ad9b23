/** Commands on the server and on connections. */
import * as Args from "./arguments.ts"
import type { Client, Context, Handlers, Reply } from "./command.ts"
import { ReplyError } from "./replyError.ts"
import { ok, Status } from "./status.ts"

const sections: Readonly<Record<string, (context: Context) => ReadonlyArray<string>>> = {
  server: (context) => [
    "redis_version:7.0.15",
    "redis_mode:standalone",
    "os:memory",
    "process_id:1",
    "tcp_port:0",
    `server_time_usec:${context.nanos() / 1000n}`,
    `uptime_in_seconds:${Math.floor((context.store.now - context.host.startedAt) / 1000)}`
  ],
  clients: (context) => [
    `connected_clients:${context.host.clients().length}`,
    `blocked_clients:${context.host.clients().filter(context.host.isBlocked).length}`
  ],
  memory: (context) => [
    "used_memory:0",
    `maxmemory:${context.host.config.get("maxmemory")}`,
    `maxmemory_policy:${context.host.config.get("maxmemory-policy")}`
  ],
  persistence: (context) => [
    "loading:0",
    `aof_enabled:${context.host.config.get("appendonly") === "yes" ? 1 : 0}`
  ],
  replication: () => ["role:master", "connected_slaves:0"],
  keyspace: (context) =>
    context.store.values.size === 0
      ? []
      : [`db0:keys=${context.store.values.size},expires=${context.store.expires.size},avg_ttl=0`]
}

const info = (context: Context, argv: ReadonlyArray<string>): Reply => {
  const asked = argv.slice(1).map((name) => name.toLowerCase())
  const all = asked.length === 0 || asked.some((name) => name === "all" || name === "default" || name === "everything")
  return Object.entries(sections)
    .filter(([name]) => all || asked.includes(name))
    .map(([name, lines]) => {
      const title = `${name[0]?.toUpperCase() ?? ""}${name.slice(1)}`
      return [`# ${title}`, ...lines(context), ""].join("\r\n")
    })
    .join("\r\n")
}

const describe = (context: Context, client: Client): string =>
  `id=${client.id} addr=memory:${client.id} laddr=memory:0 fd=${client.id} name=${client.name} age=0 idle=0 ` +
  `flags=${context.host.isBlocked(client) ? "b" : "N"} db=0 sub=0 psub=0 multi=-1 user=default resp=2`

const kill = (context: Context, argv: ReadonlyArray<string>): Reply => {
  const filters = argv.slice(2)
  if (filters.length === 1) {
    const client = context.host.clients().find((client) => `memory:${client.id}` === filters[0])
    if (client === undefined) throw new ReplyError("ERR No such client")
    context.host.kill(client)
    return ok
  }
  if (filters.length % 2 === 1) throw Args.syntaxError()
  let skipMe = true
  const tests: Array<(client: Client) => boolean> = []
  for (let i = 0; i < filters.length; i += 2) {
    const name = (filters[i] ?? "").toUpperCase()
    const value = filters[i + 1] ?? ""
    if (name === "ID") {
      const id = Args.integer(value, "client-id should be greater than 0")
      if (id < 1) throw new ReplyError("ERR client-id should be greater than 0")
      tests.push((client) => client.id === id)
    } else if (name === "ADDR") tests.push((client) => `memory:${client.id}` === value)
    else if (name === "TYPE") tests.push(() => value.toLowerCase() === "normal")
    else if (name === "USER") tests.push(() => value === "default")
    else if (name === "LADDR") tests.push(() => value === "memory:0")
    else if (name === "SKIPME" && /^(?:yes|no)$/i.test(value)) skipMe = value.toLowerCase() === "yes"
    else throw Args.syntaxError()
  }
  const doomed = context.host.clients().filter((client) =>
    tests.every((test) => test(client)) && !(skipMe && client === context.client)
  )
  for (const client of doomed) context.host.kill(client)
  return doomed.length
}

const unblock = (context: Context, [, , idText = "", mode]: ReadonlyArray<string>): Reply => {
  const how = mode?.toUpperCase() ?? "TIMEOUT"
  if (how !== "TIMEOUT" && how !== "ERROR") {
    throw new ReplyError("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
  }
  const id = Args.integer(idText)
  const client = context.host.clients().find((client) => client.id === id)
  const error = how === "ERROR" ? new ReplyError("UNBLOCKED client unblocked via CLIENT UNBLOCK") : undefined
  return client !== undefined && context.host.unblock(client, error) ? 1 : 0
}

const list = (context: Context, argv: ReadonlyArray<string>): Reply => {
  let clients = context.host.clients()
  if (argv.length > 2) {
    const option = argv[2]?.toUpperCase()
    if (option === "ID") {
      const ids = new Set(argv.slice(3).map((text) => Args.integer(text, "Invalid client ID")))
      clients = clients.filter((client) => ids.has(client.id))
    } else if (option !== "TYPE" || argv.length !== 4) throw Args.syntaxError()
    else if (argv[3]?.toLowerCase() !== "normal") clients = []
  }
  return clients.map((client) => `${describe(context, client)}\n`).join("")
}

export const hostCommands: Handlers = {
  ping: (_, argv) => {
    if (argv.length > 2) throw Args.wrongArity(argv[0] ?? "")
    return argv[1] ?? new Status("PONG")
  },
  echo: (_, [, message = ""]) => message,
  time: (context) => {
    // Entry ids and times to live go by the same milliseconds; a clock's nanoseconds may be some milliseconds off them.
    const { now } = context.store
    const micros = (now % 1000) * 1000 + Number(context.nanos() / 1000n % 1000n)
    return [String(Math.floor(now / 1000)), String(micros)]
  },
  select: (_, [, index = ""]) => {
    const db = Args.integer(index, "value is not an integer or out of range")
    if (db !== 0) throw new ReplyError("ERR DB index is out of range")
    return ok
  },
  wait: (_, [, replicas = "", timeout = ""]) => {
    Args.integer(replicas)
    Args.timeout(timeout, "milliseconds")
    return 0
  },
  info,
  publish: (context, [, channel = "", message = ""]) => context.host.publish(channel, message),
  "client|id": (context) => context.client.id,
  "client|getname": (context) => context.client.name === "" ? null : context.client.name,
  "client|setname": (context, [, , name = ""]) => {
    if (!/^[!-~]*$/.test(name)) {
      throw new ReplyError("ERR Client names cannot contain spaces, newlines or special characters.")
    }
    context.client.name = name
    return ok
  },
  "client|info": (context) => `${describe(context, context.client)}\n`,
  "client|list": list,
  "client|kill": kill,
  "client|unblock": unblock,
  "client|no-evict": (_, [, , mode = ""]) => {
    if (!/^(?:on|off)$/i.test(mode)) throw Args.syntaxError()
    return ok
  },
  "config|get": (context, argv) => {
    const patterns = argv.slice(2).map((pattern) => Args.globRegExp(pattern.toLowerCase()))
    return [...context.host.config].filter(([name]) => patterns.some((pattern) => pattern.test(name))).flat()
  },
  "config|set": (context, argv) => {
    if (argv.length % 2 === 1) throw Args.wrongArity("config|set")
    for (let i = 2; i < argv.length; i += 2) {
      const name = (argv[i] ?? "").toLowerCase()
      if (!context.host.config.has(name)) {
        throw new ReplyError(`ERR Unknown option or number of arguments for CONFIG SET - '${argv[i]}'`)
      }
    }
    for (let i = 2; i < argv.length; i += 2) context.host.config.set((argv[i] ?? "").toLowerCase(), argv[i + 1] ?? "")
    return ok
  }
}
