/**
 * The smallest client of Redis that tests can trust: one socket, RESP2, no reconnects, no dependency.
 */
import * as Net from "node:net"

export type Reply = string | number | null | ReadonlyArray<Reply>

/** An error reply, its message as the server sent it. */
export class ReplyError extends Error {
  readonly _tag = "ReplyError"
}

type Parsed = { readonly value: Reply | ReplyError; readonly next: number }

/** One reply from `start` on, or `undefined` when it is not complete yet. */
const parse = (bytes: Buffer, start: number): Parsed | undefined => {
  const lineEnd = bytes.indexOf("\r\n", start)
  if (lineEnd < 0) return undefined
  const line = bytes.toString("utf8", start + 1, lineEnd)
  const next = lineEnd + 2
  switch (String.fromCharCode(bytes[start]!)) {
    case "+":
      return { value: line, next }
    case "-":
      return { value: new ReplyError(line), next }
    case ":":
      return { value: Number(line), next }
    case "$": {
      const length = Number(line)
      if (length < 0) return { value: null, next }
      return bytes.length < next + length + 2
        ? undefined
        : { value: bytes.toString("utf8", next, next + length), next: next + length + 2 }
    }
    case "*": {
      if (Number(line) < 0) return { value: null, next }
      const values: Array<Reply> = []
      let position = next
      for (let index = 0; index < Number(line); index++) {
        const element = parse(bytes, position)
        if (element === undefined) return undefined
        values.push(element.value instanceof ReplyError ? element.value.message : element.value)
        position = element.next
      }
      return { value: values, next: position }
    }
    default:
      return { value: new ReplyError(`not RESP2: ${line}`), next: bytes.length }
  }
}

const encode = (args: ReadonlyArray<string | number | Uint8Array>): Buffer =>
  Buffer.concat([
    Buffer.from(`*${args.length}\r\n`),
    ...args.flatMap((arg) => {
      const bytes = typeof arg === "object" ? Buffer.from(arg) : Buffer.from(String(arg))
      return [Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n")]
    })
  ])

interface Waiting {
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: ReplyError) => void
}

/** A connection that stays open: blocking commands, transactions, `SUBSCRIBE`. */
export class RespConnection {
  readonly #socket: Net.Socket
  readonly #waiting: Array<Waiting> = []
  #bytes: Buffer = Buffer.alloc(0)

  constructor(port: number) {
    this.#socket = Net.connect(port, "127.0.0.1")
    this.#socket.setNoDelay(true)
    this.#socket.on("data", (chunk) => {
      this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
      let position = 0
      while (position < this.#bytes.length) {
        const reply = parse(this.#bytes, position)
        if (reply === undefined) break
        position = reply.next
        const waiting = this.#waiting.shift()
        if (reply.value instanceof ReplyError) waiting?.reject(reply.value)
        else waiting?.resolve(reply.value)
      }
      this.#bytes = this.#bytes.subarray(position)
    })
    this.#socket.on("error", (cause) => this.#fail(cause.message))
    this.#socket.on("close", () => this.#fail("connection closed"))
  }

  #fail(message: string) {
    for (const waiting of this.#waiting.splice(0)) waiting.reject(new ReplyError(message))
  }

  send(...args: ReadonlyArray<string | number | Uint8Array>): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) return reject(new ReplyError("connection closed"))
      this.#waiting.push({ resolve, reject })
      this.#socket.write(encode(args))
    })
  }

  close() {
    this.#socket.destroy()
  }

  /** One command on a connection of its own. */
  static async ask(
    port: number,
    args: ReadonlyArray<string | number | Uint8Array>,
    within: number,
    password?: string | undefined
  ): Promise<Reply> {
    const connection = new RespConnection(port)
    const timer = setTimeout(() => connection.close(), within)
    try {
      if (password !== undefined) await connection.send("AUTH", password)
      return await connection.send(...args)
    } finally {
      clearTimeout(timer)
      connection.close()
    }
  }
}
