/**
 * Cuts a connection that owes replies and stays silent, and an attempt to connect that takes too long.
 *
 * ioredis has options for both, `socketTimeout` and `connectTimeout`. Both give up before they look at the socket, where the
 * replies may already lie when the process was blocked, and the second one starts only once a connector has made a socket.
 */
import type { Redis as Client } from "ioredis"
import { later, patiently } from "./timer.ts"

export const silent = (millis: number): string => `Connection is closed: no reply within ${Math.round(millis)} ms`

/** Whether a command waits for its reply, or to be sent. */
const owes = (client: Client): boolean => client.commandQueue.length > 0 || client["offlineQueue"].length > 0

/**
 * Watches all commands of a client, ioredis's own included. It is cut when nothing came for `limit` milliseconds, counted
 * from the last byte or the oldest command that waits, whichever is later. One timer, which commands leave alone.
 */
export const watch = (client: Client, limit: number): void => {
  let since = 0
  let armed = false

  const arm = (millis: number): void => {
    armed = true
    // The socket keeps the process, and so does an attempt to connect.
    later(millis, look).unref()
  }

  const look = (): void => {
    armed = false
    if (!owes(client)) return
    const left = since + limit - performance.now()
    if (left > 0) return arm(left)
    armed = true
    // What came while this process was busy is read first.
    setImmediate(judge)
  }

  const judge = (): void => {
    armed = false
    if (!owes(client)) return
    const left = since + limit - performance.now()
    if (left > 0) return arm(left)
    // Before there is a socket nothing is owed: an attempt to connect has a limit of its own, and fails what waits for it.
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
 * with it. `pause` is what the attempt waits before it begins.
 */
export const watchAttempts = (client: Client, limit: number, pause: () => number): void => {
  let cancel = (): void => {}
  client.on("connecting", () => {
    cancel()
    cancel = patiently(limit + pause(), () => cut(client, `connect ETIMEDOUT: not connected within ${limit} ms`))
  })
  for (const event of ["ready", "close", "end"]) client.on(event, () => cancel())
}

/** Ends the connection, or the attempt to make one, for this reason. The client goes on as after any loss. */
export const cut = (client: Client, reason: string): void => {
  const stream: Client["stream"] | undefined = client.stream
  client.disconnect(true)
  stream?.destroy(new Error(reason))
}
