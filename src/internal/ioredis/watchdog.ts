/**
 * Ends connections, among them one that owes replies and stays silent.
 *
 * ioredis has `socketTimeout` for that. It gives up before it looks at the socket, where the replies may already lie when the
 * process was blocked.
 */
import type { Redis as Client } from "ioredis"
import { later } from "./timer.ts"

/** The socket, which is not there before the first attempt to connect, whatever ioredis's type says. */
export const streamOf = (client: Client): Client["stream"] | undefined => client.stream

export const silent = (millis: number): string => `Connection is closed: no reply within ${Math.round(millis)} ms`

/** Whether a command waits for its reply or for the connection. */
const owes = (client: Client): boolean => client.commandQueue.length > 0 || client["offlineQueue"].length > 0

/**
 * Watches all commands of a client, ioredis's own included, with one timer that commands do not touch. The connection is cut
 * when nothing arrived for `limit` milliseconds, counted from the last byte or from the oldest waiting command, whichever is
 * later.
 */
export const watch = (client: Client, limit: number): void => {
  let since = 0
  let armed = false

  const arm = (millis: number): void => {
    armed = true
    // The socket, or an attempt to connect, keeps the process alive.
    later(millis, look).unref()
  }

  const look = (): void => {
    armed = false
    if (!owes(client)) return
    const left = since + limit - performance.now()
    if (left > 0) return arm(left)
    armed = true
    // Replies that arrived while this process was busy are read first.
    setImmediate(judge)
  }

  const judge = (): void => {
    armed = false
    if (!owes(client)) return
    const left = since + limit - performance.now()
    if (left > 0) return arm(left)
    // An attempt to connect has its own limit, and its end fails the commands that wait for it.
    if (client.status === "ready" || client.status === "connect") cut(client, new Error(silent(limit)))
    else arm(limit)
  }

  const sendCommand = client.sendCommand.bind(client)
  client.sendCommand = (command, stream) => {
    if (!owes(client)) since = performance.now()
    if (!armed) arm(limit)
    return sendCommand(command, stream)
  }
  client.on("connect", () => {
    client.stream.on("data", () => {
      since = performance.now()
    })
  })
}

/** Ends the connection, or the attempt to connect, for this reason. The client then reconnects as after any loss. */
export const cut = (client: Client, reason: Error): void => {
  const stream = streamOf(client)
  client.disconnect(true)
  stream?.destroy(reason)
}

/** Ends a client now: what is in flight is lost, nothing is waited for. */
export const destroy = (client: Client): void => {
  client.disconnect()
  // `disconnect` is polite and waits up to 2 s for the other end, which may be gone.
  streamOf(client)?.destroy()
}
