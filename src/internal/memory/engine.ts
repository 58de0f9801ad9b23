/**
 * The server: it runs one command at a time, keeps blocked ones waiting, and
 * serves them in the order in which they came.
 *
 * Nothing here is an effect. A command is submitted and gives a ticket; the
 * ticket is settled at once, or later by another command, a time-out or the
 * end of its connection.
 */
import type * as Clock from "effect/Clock"
import * as Args from "./arguments.ts"
import type { Client, Context, Host, Reply, Result, Wait } from "./command.ts"
import { isWait } from "./command.ts"
import type { Command } from "./commandTable.ts"
import { table } from "./commandTable.ts"
import { ReplyError } from "./replyError.ts"
import type * as Scripting from "./scripting.ts"
import * as Store from "./store.ts"

/** One command of one client, from its arrival to its reply. */
export interface Ticket {
  readonly client: Connection
  readonly argv: ReadonlyArray<string>
  readonly clock: Clock.Clock
  result: Result | undefined
  /** Set, with a result, when the server itself failed: a defect of this package. */
  defect: boolean
  /** Set while the command is blocked. */
  wait: Wait | undefined
  /** Told when `result` or `wait` is there. */
  notify: (() => void) | undefined
}

export interface Connection extends Client {
  /** The command that is blocked: those behind it have to wait. */
  blocked: Ticket | undefined
  readonly queue: Array<Ticket>
}

export interface Engine {
  readonly store: Store.Store
  readonly scripts: Scripting.Scripts
  readonly connections: Set<Connection>
  /** Blocked commands by the key that they wait for, first come first. */
  readonly waiting: Map<string, Set<Ticket>>
  readonly subscribers: Map<string, Set<(message: string) => void>>
  readonly config: Map<string, string>
  /** Connections that were unblocked and may have commands to catch up with. */
  readonly freed: Set<Connection>
  startedAt: number
  lastConnectionId: number
}

export const make = (): Engine => ({
  store: Store.make(),
  scripts: new Map(),
  connections: new Set(),
  waiting: new Map(),
  subscribers: new Map(),
  config: new Map([
    ["maxmemory", "0"],
    ["maxmemory-policy", "noeviction"],
    ["appendonly", "no"],
    ["appendfsync", "everysec"],
    ["save", "3600 1 300 100 60 10000"]
  ]),
  freed: new Set(),
  startedAt: 0,
  lastConnectionId: 0
})

export const connect = (self: Engine): Connection => {
  const connection: Connection = {
    id: ++self.lastConnectionId,
    name: "",
    closed: false,
    blocked: undefined,
    queue: []
  }
  self.connections.add(connection)
  return connection
}

const connectionClosed = (): Error => new Error("Connection is closed.")

/** Ends a connection: whatever is under way on it fails. */
export const close = (self: Engine, connection: Connection): void => {
  if (connection.closed) return
  connection.closed = true
  self.connections.delete(connection)
  const queued = connection.queue.splice(0)
  if (connection.blocked !== undefined) settle(self, connection.blocked, connectionClosed())
  for (const ticket of queued) settle(self, ticket, connectionClosed())
}

/** Runs a command, or puts it behind the blocked one of its connection. */
export const submit = (
  self: Engine,
  client: Connection,
  argv: ReadonlyArray<string>,
  clock: Clock.Clock
): Ticket => {
  const ticket: Ticket = {
    client,
    argv,
    clock,
    result: undefined,
    defect: false,
    wait: undefined,
    notify: undefined
  }
  if (client.closed) ticket.result = connectionClosed()
  else if (client.blocked !== undefined || client.queue.length > 0) client.queue.push(ticket)
  else {
    start(self, ticket)
    afterwards(self, clock)
  }
  return ticket
}

/** The client gave up on a command: it is as if its connection had gone. */
export const cancel = (self: Engine, ticket: Ticket): void => {
  if (ticket.result !== undefined) return
  const at = ticket.client.queue.indexOf(ticket)
  if (at !== -1) {
    ticket.client.queue.splice(at, 1)
    return
  }
  ticket.notify = undefined
  settle(self, ticket, null)
  afterwards(self, ticket.clock)
}

/** The time of a blocked command is up. */
export const expire = (self: Engine, ticket: Ticket): void => {
  if (ticket.result !== undefined) return
  settle(self, ticket, null)
  afterwards(self, ticket.clock)
}

/** Removes every key, and wakes those who waited for a group. */
export const flush = (self: Engine, clock: Clock.Clock): void => {
  setTime(self, clock)
  Store.clear(self.store)
  afterwards(self, clock)
}

export const setTime = (self: Engine, clock: Clock.Clock): void => {
  self.store.now = Math.floor(clock.currentTimeMillisUnsafe())
}

export const subscribe = (self: Engine, channel: string, listener: (message: string) => void): () => void => {
  const listeners = self.subscribers.get(channel) ?? new Set()
  self.subscribers.set(channel, listeners)
  listeners.add(listener)
  return () => {
    listeners.delete(listener)
    if (listeners.size === 0) self.subscribers.delete(channel)
  }
}

// Running commands

const start = (self: Engine, ticket: Ticket): void => {
  setTime(self, ticket.clock)
  try {
    const outcome = execute(contextFor(self, ticket), ticket.argv)
    if (isWait(outcome)) block(self, ticket, outcome)
    else ticket.result = outcome
  } catch (error) {
    ticket.defect = !(error instanceof ReplyError)
    ticket.result = error instanceof Error ? error : new Error(String(error))
  }
}

const contextFor = (self: Engine, ticket: Ticket): Context => ({
  store: self.store,
  scripts: self.scripts,
  host: hostOf(self),
  client: ticket.client,
  nanos: () => ticket.clock.currentTimeNanosUnsafe(),
  inScript: false,
  run: runInScript
})

const hosts = new WeakMap<Engine, Host>()

const hostOf = (self: Engine): Host => {
  const there = hosts.get(self)
  if (there !== undefined) return there
  const find = (client: Client) => [...self.connections].find((connection) => connection === client)
  const host: Host = {
    clients: () => [...self.connections],
    kill: (client) => {
      const connection = find(client)
      if (connection !== undefined) close(self, connection)
    },
    unblock: (client, error) => {
      const ticket = find(client)?.blocked
      if (ticket === undefined) return false
      settle(self, ticket, error ?? null)
      return true
    },
    isBlocked: (client) => find(client)?.blocked !== undefined,
    publish: (channel, message) => {
      const listeners = [...self.subscribers.get(channel) ?? []]
      for (const listener of listeners) listener(message)
      return listeners.length
    },
    config: self.config,
    startedAt: self.startedAt
  }
  hosts.set(self, host)
  return host
}

const lookup = (argv: ReadonlyArray<string>): Command | undefined => {
  const name = argv[0] ?? ""
  return table.get(name) ?? table.get(name.toLowerCase())
}

const quoted = (argv: ReadonlyArray<string>): string => {
  let text = ""
  for (let i = 1; i < argv.length && text.length < 128; i++) text += `'${(argv[i] ?? "").slice(0, 128 - text.length)}' `
  return text
}

/** The command, or the subcommand when it is one that has some. */
const find = (outer: Command | undefined, argv: ReadonlyArray<string>): Command | undefined => {
  const name = argv[1]
  return outer === undefined || outer.subcommands.size === 0 || name === undefined
    ? outer
    : outer.subcommands.get(name.toLowerCase())
}

const unknown = (outer: Command | undefined, argv: ReadonlyArray<string>): ReplyError => {
  const [name = "", subcommand = ""] = argv
  const message = outer === undefined
    ? `ERR unknown command '${name.slice(0, 128)}', with args beginning with: ${quoted(argv)}`
    : `ERR unknown subcommand '${subcommand.slice(0, 128)}'. Try ${name.toUpperCase()} HELP.`
  return new ReplyError(message.replace(/[\r\n]/g, " "))
}

const fits = (command: Command, argv: ReadonlyArray<string>): boolean =>
  command.arity < 0 ? argv.length >= -command.arity : argv.length === command.arity

const execute = (context: Context, argv: ReadonlyArray<string>): Reply | Wait => {
  const outer = lookup(argv)
  const command = find(outer, argv)
  if (command === undefined) throw unknown(outer, argv)
  if (!fits(command, argv) || command.run === undefined) throw Args.wrongArity(command.name)
  return command.run(context, argv)
}

const runInScript = (context: Context, argv: ReadonlyArray<string>): Reply => {
  const command = find(lookup(argv), argv)
  if (command === undefined) throw new ReplyError("ERR Unknown Redis command called from script")
  if (!fits(command, argv)) throw new ReplyError("ERR Wrong number of args calling Redis command from script")
  if (command.noScript) throw new ReplyError("ERR This Redis command is not allowed from script")
  const outcome = execute(context, argv)
  return isWait(outcome) ? null : outcome
}

// Waiting

const block = (self: Engine, ticket: Ticket, wait: Wait): void => {
  ticket.wait = wait
  ticket.client.blocked = ticket
  for (const key of wait.keys) {
    const tickets = self.waiting.get(key) ?? new Set()
    self.waiting.set(key, tickets)
    tickets.add(ticket)
  }
}

/** Gives a command its reply; a blocked one stops waiting. */
const settle = (self: Engine, ticket: Ticket, result: Result): void => {
  if (ticket.result !== undefined) return
  ticket.result = result
  if (ticket.wait !== undefined) {
    for (const key of ticket.wait.keys) {
      const tickets = self.waiting.get(key)
      tickets?.delete(ticket)
      if (tickets?.size === 0) self.waiting.delete(key)
    }
  }
  if (ticket.client.blocked === ticket) {
    ticket.client.blocked = undefined
    if (ticket.client.queue.length > 0) self.freed.add(ticket.client)
  }
  ticket.notify?.()
}

/** What follows a command: waking those who wait, and what they left undone. */
const afterwards = (self: Engine, clock: Clock.Clock): void => {
  while (self.store.ready.size > 0 || self.freed.size > 0) {
    wake(self)
    for (const connection of self.freed) {
      self.freed.delete(connection)
      catchUp(self, connection)
    }
  }
  setTime(self, clock)
}

const catchUp = (self: Engine, connection: Connection): void => {
  while (connection.blocked === undefined) {
    const ticket = connection.queue.shift()
    if (ticket === undefined) return
    start(self, ticket)
    ticket.notify?.()
    if (self.store.ready.size > 0) wake(self)
  }
}

const wake = (self: Engine): void => {
  while (self.store.ready.size > 0) {
    const keys = self.store.ready
    self.store.ready = new Set()
    if (self.waiting.size === 0) return
    for (const key of keys) wakeKey(self, key)
  }
}

const wakeKey = (self: Engine, key: string): void => {
  const tickets = self.waiting.get(key)
  if (tickets === undefined) return
  // A copy, because a served client may wait again before the loop is over.
  for (const ticket of Array.from(tickets)) {
    const wait = ticket.wait
    if (wait === undefined || ticket.result !== undefined) continue
    const value = Store.lookup(self.store, key)
    if (value?.kind === wait.kind) {
      const result = serve(wait, key)
      if (result !== undefined) settle(self, ticket, result)
    } else if (value?.kind !== "stream" && wait.onGone !== undefined) settle(self, ticket, wait.onGone())
  }
}

const serve = (wait: Wait, key: string): Result | undefined => {
  try {
    return wait.serve(key)
  } catch (error) {
    if (error instanceof ReplyError) return error
    throw error
  }
}
