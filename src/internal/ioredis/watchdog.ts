/**
 * Cuts a connection that owes replies and stays silent, and an attempt to connect that takes too long.
 *
 * ioredis has options for both, `socketTimeout` and `connectTimeout`. Both give up before they look at the socket, where the
 * replies may already lie when the process was blocked, and the second one starts only once a connector has made a socket.
 */
import type { Redis as Client } from "ioredis"
import { later, patiently } from "./timer.ts"

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
    if (client.status === "ready" || client.status === "connect") cut(client, silent(limit))
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

/**
 * Limits each attempt to connect, from its beginning until the connection is ready. Commands that wait for the attempt fail
 * with it. The attempt begins with a wait of `pause` milliseconds, which does not count.
 */
export const watchAttempts = (client: Client, limit: number, pause: () => number): void => {
  let cancel = (): void => {}
  client.on("connecting", () => {
    cancel()
    cancel = patiently(limit + pause(), () => cut(client, `connect ETIMEDOUT: not connected within ${limit} ms`))
  })
  for (const event of ["ready", "close", "end"]) client.on(event, () => cancel())
}

/** Ends the connection, or the attempt to connect, for this reason. The client then reconnects as after any loss. */
export const cut = (client: Client, reason: string): void => {
  const stream: Client["stream"] | undefined = client.stream
  client.disconnect(true)
  stream?.destroy(new Error(reason))
}
