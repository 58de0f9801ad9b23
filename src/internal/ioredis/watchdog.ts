/**
 * Ends connections, including those that owe replies and stay silent.
 *
 * ioredis has `socketTimeout` for that. But it gives up before it reads the socket, where the replies may already be
 * waiting if the process was blocked.
 */
import type { Redis as Client } from "ioredis"
import { later } from "./timer.ts"

/** The socket. Before the first connection attempt there is none, whatever ioredis's type says. */
export const streamOf = (client: Client): Client["stream"] | undefined => client.stream

export const silent = (millis: number): string => `Connection is closed: no reply within ${Math.round(millis)} ms`

/** Whether a command waits for its reply or for the connection. */
const owes = (client: Client): boolean => client.commandQueue.length > 0 || client["offlineQueue"].length > 0

/**
 * Watches all commands of a client, including ioredis's own, with one timer that commands do not touch. The connection
 * is cut if nothing arrived for `limit` milliseconds since the last byte or since the oldest waiting command was sent,
 * whichever is later.
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
    // A connection attempt has its own limit, and its end fails the commands that wait for it.
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

/** How long the commands of one connection may wait for their replies, each with its own limit. */
export interface Patience {
  /** A command is sent; `undefined` for no limit. */
  readonly allow: (limit: number | undefined) => void
  readonly end: () => void
}

/**
 * Calls `onSilent` if no part of a reply arrived within the limit. It has one timer, which answered commands do not
 * touch: when it fires, it checks the commands that wait then.
 */
export const makePatience = (
  client: () => Client,
  waiting: () => number,
  onSilent: (millis: number) => void
): Patience => {
  let timer: NodeJS.Timeout | undefined
  let wakes = Infinity
  let deadline = 0
  let allowed = 0
  let heard = 0

  const received = (): number => streamOf(client())?.bytesRead ?? 0

  const look = (): void => {
    timer = undefined
    wakes = Infinity
    if (waiting() === 0 || deadline === Infinity) return
    if (deadline > performance.now()) wakeAt(deadline)
    // Replies that arrived while this process was busy are read first.
    else setImmediate(judge)
  }

  const judge = (): void => {
    if (waiting() === 0 || deadline === Infinity || wakes !== Infinity) return
    const now = performance.now()
    if (received() > heard) {
      // A large reply is arriving. Some commands remove the data that they return, so it could not be asked for again.
      heard = received()
      deadline = now + allowed
    }
    if (deadline > now) wakeAt(deadline)
    else onSilent(allowed)
  }

  const wakeAt = (time: number): void => {
    clearTimeout(timer)
    wakes = time
    timer = later(time - performance.now(), look)
    // The socket keeps the process alive.
    timer.unref()
  }

  return {
    allow: (limit) => {
      const now = performance.now()
      // Replies arrive in the order of the commands, so a command sent behind a waiting one may take both times.
      deadline = limit === undefined ? Infinity : Math.max(waiting() > 1 ? deadline : 0, now) + limit
      allowed = deadline - now
      heard = received()
      if (deadline < wakes) wakeAt(deadline)
    },
    end: () => clearTimeout(timer)
  }
}

/** Ends the connection, or the connection attempt, for this reason. The client then reconnects as after any loss. */
export const cut = (client: Client, reason: Error): void => {
  const stream = streamOf(client)
  client.disconnect(true)
  stream?.destroy(reason)
}

/** Ends a client now, without waiting: commands in flight are lost. */
export const destroy = (client: Client): void => {
  client.disconnect()
  // `disconnect` waits up to 2 s for the peer, which may have vanished.
  streamOf(client)?.destroy()
}
