/**
 * A TCP proxy in front of a server, to be broken on purpose.
 *
 * Each fault takes `{ name }` to hit only connections whose `CLIENT SETNAME` matches, and the others go on.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"

export interface Target {
  /** Only connections that gave themselves a matching name. Default: all. */
  readonly name?: RegExp | undefined
}

export interface Proxy {
  readonly port: number
  readonly url: string
  /** Open connections from clients, with the names that they gave themselves (`""` before that). */
  readonly names: () => ReadonlyArray<string>
  /** Ends the connections now, on both sides. */
  readonly cut: (target?: Target) => Effect.Effect<void>
  /**
   * Half-open from now on: what either side sends is swallowed, nothing is closed, new connections are accepted and never
   * answered. When the client gives its end up the server does not learn of it.
   */
  readonly blackhole: (target?: Target) => Effect.Effect<void>
  /** Commands still reach the server, replies are swallowed. */
  readonly dropReplies: (target?: Target) => Effect.Effect<void>
  /** The next reply is lost: its command reaches the server, and the first byte of the answer cuts the connection. */
  readonly loseNextReply: (target?: Target) => Effect.Effect<void>
  /** After so many more bytes of replies the connection is cut, in the middle of one if need be. Once. */
  readonly cutAfter: (bytes: number, target?: Target) => Effect.Effect<void>
  /** Replies come this many milliseconds later. */
  readonly delay: (millis: number) => Effect.Effect<void>
  /** Replies come in parts of so many bytes, this many milliseconds apart. */
  readonly throttle: (bytes: number, millis: number) => Effect.Effect<void>
  /** New connections are refused (`ECONNREFUSED`); open ones stay. */
  readonly refuse: Effect.Effect<void>
  /**
   * New connections and those that lost nothing work again. A connection that lost bytes in a blackhole stays silent, as
   * after a real partition, until its client closes it; what the server still holds of it is closed by {@link forget}.
   */
  readonly resume: Effect.Effect<void>
  /** Closes the server's ends that a blackhole left behind. */
  readonly forget: Effect.Effect<void>
}

type Fault = "none" | "blackhole" | "dropReplies"

interface Pair {
  /** What a throttle holds back. */
  held: Buffer
  readonly client: Net.Socket
  readonly server: Net.Socket | undefined
  name: string
  lost: boolean
}

const setName = /setname\r\n\$\d+\r\n([^\r]*)\r\n/i

/** A proxy to `127.0.0.1:port` that lives as long as the scope. */
export const start = (port: number): Effect.Effect<Proxy, never, Scope.Scope> =>
  Effect.gen(function*() {
    const pairs = new Set<Pair>()
    const leftBehind = new Set<Net.Socket>()
    let fault: Fault = "none"
    let faultTarget: Target | undefined
    let budget: { bytes: number; target: Target | undefined } | undefined
    let wait = 0
    let pace: { readonly bytes: number; readonly millis: number } | undefined

    const hits = (pair: Pair, target: Target | undefined) => target?.name === undefined || target.name.test(pair.name)
    const active = (pair: Pair): Fault => hits(pair, faultTarget) ? fault : "none"

    const close = (pair: Pair) => {
      pairs.delete(pair)
      pair.client.destroy()
      pair.server?.destroy()
    }

    const drip = (pair: Pair) => {
      const bytes = pace?.bytes ?? pair.held.length
      if (!pair.client.writable) return
      pair.client.write(pair.held.subarray(0, bytes))
      pair.held = pair.held.subarray(bytes)
      if (pair.held.length > 0) setTimeout(() => drip(pair), pace?.millis ?? 0)
    }

    const toClient = (pair: Pair, chunk: Buffer) => {
      if (pace !== undefined || pair.held.length > 0) {
        const idle = pair.held.length === 0
        pair.held = Buffer.concat([pair.held, chunk])
        if (idle) drip(pair)
        return
      }
      if (wait === 0) pair.client.write(chunk)
      else setTimeout(() => pair.client.writable && pair.client.write(chunk), wait)
    }

    const accept = (client: Net.Socket) => {
      // Nobody can tell the name of a new connection yet: a fault for some of them lets it in.
      const silent = fault === "blackhole" && faultTarget?.name === undefined
      const server = silent ? undefined : Net.connect(port, "127.0.0.1")
      const pair: Pair = { client, server, name: "", lost: silent, held: Buffer.alloc(0) }
      pairs.add(pair)
      client.setNoDelay(true)
      client.on("error", () => {})
      client.on("data", (chunk) => {
        const name = setName.exec(chunk.toString("latin1"))?.[1]
        if (name !== undefined) pair.name = name
        if (active(pair) === "blackhole") pair.lost = true
        if (!pair.lost) server?.write(chunk)
      })
      client.on("close", () => {
        pairs.delete(pair)
        if (server === undefined) return
        if (pair.lost || active(pair) === "blackhole") leftBehind.add(server)
        else server.destroy()
      })
      if (server === undefined) return
      server.setNoDelay(true)
      server.on("error", () => {})
      server.on("data", (chunk) => {
        if (active(pair) === "blackhole") pair.lost = true
        if (pair.lost || active(pair) === "dropReplies") return
        if (budget !== undefined && hits(pair, budget.target)) {
          if (chunk.length > budget.bytes) {
            const rest = chunk.subarray(0, budget.bytes)
            budget = undefined
            pairs.delete(pair)
            server.destroy()
            client.end(rest)
            return
          }
          budget.bytes -= chunk.length
        }
        toClient(pair, chunk)
      })
      server.on("close", () => {
        leftBehind.delete(server)
        if (!pair.lost && active(pair) !== "blackhole") close(pair)
      })
    }

    let listener = Net.createServer(accept)
    const listen = (on: number) =>
      Effect.callback<number>((resume) => {
        listener.once("error", (cause) => resume(Effect.die(cause)))
        listener.listen(on, "127.0.0.1", () => {
          const address = listener.address()
          resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
        })
      })
    const own = yield* listen(0)

    const forget = Effect.sync(() => {
      for (const socket of leftBehind) socket.destroy()
      leftBehind.clear()
    })
    const cut = (target?: Target) =>
      Effect.sync(() => {
        for (const pair of pairs) if (hits(pair, target)) close(pair)
      })
    const set = (next: Fault) => (target?: Target) =>
      Effect.sync(() => {
        fault = next
        faultTarget = target
      })

    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        listener.close()
        for (const pair of pairs) close(pair)
      }).pipe(Effect.andThen(forget))
    )

    return {
      port: own,
      url: `redis://127.0.0.1:${own}`,
      names: () => Array.from(pairs, (pair) => pair.name),
      cut,
      blackhole: set("blackhole"),
      dropReplies: set("dropReplies"),
      loseNextReply: (target) =>
        Effect.sync(() => {
          budget = { bytes: 0, target }
        }),
      cutAfter: (bytes, target) =>
        Effect.sync(() => {
          budget = { bytes, target }
        }),
      delay: (millis) =>
        Effect.sync(() => {
          wait = millis
        }),
      throttle: (bytes, millis) =>
        Effect.sync(() => {
          pace = { bytes, millis }
        }),
      // `close` stops listening at once; it only waits for the open connections, which must stay.
      refuse: Effect.sync(() => {
        listener.close()
      }),
      resume: Effect.suspend(() => {
        fault = "none"
        faultTarget = undefined
        budget = undefined
        wait = 0
        pace = undefined
        if (listener.listening) return Effect.void
        listener = Net.createServer(accept)
        return Effect.asVoid(listen(own))
      }),
      forget
    }
  })
