/**
 * A service of the program test/programs/jobs.ts on a server: its processes, its messages, and what the server knows of it.
 */
import * as Effect from "effect/Effect"
import { namesOf } from "../../src/internal/redis/names.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import { actionOf } from "./messages.ts"
import * as Processes from "./processes.ts"
import * as Server from "./redisServer.ts"
import { until } from "./until.ts"
import { fieldsOf, viewOf } from "./view.ts"

/** Of a test that starts processes: a busy machine takes its time for each. */
export const bound = 150_000

/** What a process may take to start and say its first line. */
export const started = 40_000

/** `j000`, `j001`, … */
export const numbered = (from: number, to: number): Array<string> =>
  Array.from({ length: to - from }, (_, index) => `j${String(from + index).padStart(3, "0")}`)

/** The ids in lines such as `@ ended j000`, sorted. */
export const idsOf = (lines: ReadonlyArray<string>): Array<string> => lines.map((line) => line.split(" ")[2]!).sort()

export const service = (server: Server.Server) => {
  const name = Server.uniquePrefix()
  const names = namesOf(QueueNaming.make({ prefix: "nooble4", environment: "dev" }), name)
  const { group, stream } = names
  const root = `nooble4:dev:${name}`
  const view = viewOf(names, server.cli)
  let sent = 0

  /** Adds one action; returns the id of its entry. */
  const send = (
    type: string,
    id: string,
    options: {
      readonly data?: { readonly [key: string]: unknown }
      readonly list?: string
      readonly metadata?: { readonly [key: string]: unknown }
    } = {}
  ) =>
    Effect.map(
      server.cli(
        "XADD",
        stream,
        "*",
        "data",
        actionOf(type, sent++, { ...options, data: { id, ...options.data } })
      ),
      String
    )
  const connections = Effect.map(
    server.cli("CLIENT", "LIST"),
    (list) =>
      String(list).split("\n").filter((line) => line.includes(`name=${name}-worker`) && line.includes("cmd=xreadgroup"))
  )

  return {
    name,
    stream,
    group,
    root,
    waiting: `${name}-waiting`,
    send,
    add: (type: string, ids: ReadonlyArray<string>) => Effect.forEach(ids, (id) => send(type, id)),
    start: (env: { readonly [name: string]: string } = {}, nodeArgs: ReadonlyArray<string> = []) =>
      Processes.start("jobs", { env: { REDIS_URL: server.url, SERVICE_NAME: name, ...env }, nodeArgs }),
    /** Lets everything that holds go on. */
    go: server.cli("SET", `go:${name}`, "1"),
    stop: server.cli("DEL", `go:${name}`),
    length: view.length,
    pending: view.pending,
    consumers: view.consumers,
    /** Field by field, the newest last. */
    deadLetters: Effect.map(
      view.deadLetters,
      (letters) => letters.map(({ notes, original }) => ({ ...fieldsOf(original), ...notes }))
    ),
    /** So many connections wait for new entries. */
    reading: (count: number) =>
      until(`${count} read`, Effect.map(connections, (found) => found.length === count), started),
    /** No connection waits for new entries any more: the workers have stopped reading. */
    readingEnded: until("nobody reads", Effect.map(connections, (found) => found.length === 0)),
    /** Everything is settled and deleted. */
    allDone: until("all is settled", Effect.map(view.length, (length) => length === 0), 20_000)
  }
}
