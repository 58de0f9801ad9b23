/**
 * Sentinels for tests: stand-ins that do what the test says, and real ones.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import * as Server from "./redisServer.ts"
import { until } from "./until.ts"

/** What a stand-in does with its clients. */
export type Behaviour =
  | "answers"
  /** Accepts connections and says nothing, as a machine whose process is frozen. What was asked meanwhile stays unanswered. */
  | "silent"
  /** Ends each connection at once. */
  | "hangs up"
  /** Answers that it knows no such master. */
  | "knows nothing"

export interface Sentinel {
  readonly port: number
  readonly address: { readonly host: string; readonly port: number }
  /** Connections that it was given so far. Without detectors of failovers each is one question. */
  readonly connections: () => number
  /** Clients that listen for failovers. */
  readonly listening: () => number
  readonly behave: (behaviour: Behaviour) => Effect.Effect<void>
  /** Says from now on that the master listens on this port. */
  readonly names: (port: number) => Effect.Effect<void>
  /** Tells the listeners that the master is another one. */
  readonly announce: Effect.Effect<void>
}

const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`
const list = (...texts: ReadonlyArray<string>): string => `*${texts.length}\r\n${texts.map(bulk).join("")}`

/** A stand-in that says the master listens on `port`. It lives as long as the scope. */
export const standIn = (master: number): Effect.Effect<Sentinel, never, Scope.Scope> =>
  Effect.gen(function*() {
    const sockets = new Set<Net.Socket>()
    const listeners = new Set<Net.Socket>()
    let behaviour: Behaviour = "answers"
    let port = master
    let connections = 0

    const answer = (socket: Net.Socket, [first = "", second = ""]: ReadonlyArray<string>): string => {
      switch (`${first} ${second}`.toLowerCase()) {
        case "sentinel get-master-addr-by-name":
          return behaviour === "knows nothing" ? "*-1\r\n" : list("127.0.0.1", String(port))
        case "sentinel sentinels":
          return "*0\r\n"
        case "subscribe +switch-master":
          listeners.add(socket)
          return `*3\r\n${bulk("subscribe")}${bulk(second)}:1\r\n`
        default:
          return "+OK\r\n"
      }
    }

    const server = Net.createServer((socket) => {
      connections++
      if (behaviour === "hangs up") return socket.destroy()
      sockets.add(socket)
      socket.on("error", () => {})
      socket.on("close", () => {
        sockets.delete(socket)
        listeners.delete(socket)
      })
      let text = ""
      socket.on("data", (chunk) => {
        text += chunk.toString("latin1")
        for (;;) {
          const command = /^\*(\d+)\r\n/.exec(text)
          if (command === null) return
          const lines = text.split("\r\n")
          const end = 1 + 2 * Number(command[1])
          if (lines.length <= end) return
          const args = lines.slice(1, end).filter((_, index) => index % 2 === 1)
          text = lines.slice(end).join("\r\n")
          if (behaviour !== "silent") socket.write(answer(socket, args))
        }
      })
      return undefined
    })
    const own = yield* Effect.callback<number>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
      })
    })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        server.close()
        for (const socket of sockets) socket.destroy()
      })
    )
    return {
      port: own,
      address: { host: "127.0.0.1", port: own },
      connections: () => connections,
      listening: () => listeners.size,
      behave: (next) =>
        Effect.sync(() => {
          behaviour = next
        }),
      names: (next) =>
        Effect.sync(() => {
          port = next
        }),
      announce: Effect.sync(() => {
        const message = list("message", "+switch-master", `mymaster 127.0.0.1 ${port} 127.0.0.1 ${port}`)
        for (const socket of listeners) socket.write(message)
      })
    }
  })

/** Real Sentinels that watch a master, two of which must agree that it is gone. */
const real = (master: Server.Server, count: number) =>
  Effect.forEach(Array.from({ length: count }), () =>
    Server.start({
      sentinel: true,
      config: [
        `sentinel monitor mymaster ${master.host} ${master.port} 2`,
        "sentinel down-after-milliseconds mymaster 1000",
        "sentinel failover-timeout mymaster 6000"
      ]
    }))

/** A master with a replica, and three Sentinels that know both and each other. */
export const watched = Effect.gen(function*() {
  const replica = yield* Server.start()
  const master = yield* Server.start()
  yield* replica.cli("REPLICAOF", master.host, master.port)
  const sentinels = yield* real(master, 3)
  yield* until(
    "the replica has all",
    Effect.map(replica.cli("INFO", "replication"), (info) => String(info).includes("master_link_status:up"))
  )
  yield* until(
    "the Sentinels know each other and the replica",
    Effect.map(
      Effect.forEach(sentinels, (sentinel) => sentinel.cli("SENTINEL", "MASTER", "mymaster")),
      (replies) =>
        replies.every((reply) => {
          // SAFETY: names and values, one after the other.
          const fields = reply as ReadonlyArray<string>
          const field = (key: string) => fields[fields.indexOf(key) + 1]
          return field("num-slaves") === "1" && field("num-other-sentinels") === "2"
        })
    ),
    20_000
  )
  return { master, replica, sentinels }
})
