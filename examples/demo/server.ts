/** A Redis server for the demo: on a free port, without a file, and gone with this process however it ends. */
import { Data, Effect, Schedule } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { connect, createServer } from "node:net"

export class ServerError extends Data.TaggedError("ServerError")<{ readonly message: string }> {}

const host = "127.0.0.1"

const freePort = Effect.callback<number, ServerError>((resume) => {
  const probe = createServer()
  probe.once("error", (cause) => resume(Effect.fail(new ServerError({ message: cause.message }))))
  probe.listen(0, host, () => {
    const address = probe.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    probe.close(() => resume(Effect.succeed(port)))
  })
})

/**
 * The shell ends the server when its standard input ends, which the system closes even if this process is killed. The
 * server is in a group of its own: Ctrl-C in a terminal must not end it before the workers have written their results.
 */
const script = `exec 3<&0
program=\${REDIS_SERVER:-$(command -v redis-server || command -v valkey-server)}
"$program" "$@" &
server=$!
(cat <&3 >/dev/null; kill "$server") &
wait "$server"`

const launch = (port: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const options = ["--port", String(port), "--bind", host, "--save", "", "--appendonly", "no"]
      const child = spawn("sh", ["-c", script, "sh", ...options], {
        detached: true,
        stdio: ["pipe", "ignore", "ignore"]
      })
      child.once("error", () => undefined)
      child.stdin?.once("error", () => undefined)
      return child
    }),
    (child) =>
      Effect.callback<void>((resume) => {
        if (hasEnded(child)) return resume(Effect.void)
        child.once("exit", () => resume(Effect.void))
        child.stdin?.end()
      })
  )

const hasEnded = (child: ChildProcess) =>
  child.pid === undefined || child.exitCode !== null || child.signalCode !== null

/** Connects once, unless the server has ended: another program may have taken the port. */
const accepts = (child: ChildProcess, port: number) =>
  Effect.callback<void, ServerError>((resume) => {
    if (hasEnded(child)) {
      const message = "the Redis server does not start: install redis-server, or set REDIS_SERVER to the program"
      return resume(Effect.die(new ServerError({ message })))
    }
    const socket = connect(port, host)
    socket.once("connect", () => {
      socket.destroy()
      resume(Effect.void)
    })
    socket.once("error", (cause) => resume(Effect.fail(new ServerError({ message: cause.message }))))
    return Effect.sync(() => socket.destroy())
  })

/** Starts a server that lives as long as the scope, and returns its URL. */
export const redisServer = Effect.gen(function*() {
  const port = yield* freePort
  const child = yield* launch(port)
  yield* Effect.retry(accepts(child, port), { times: 200, schedule: Schedule.spaced("50 millis") })
  return `redis://${host}:${port}`
})
