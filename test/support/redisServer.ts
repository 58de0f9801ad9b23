/**
 * A real `redis-server` (or `valkey-server`) for tests: own port, own directory, gone afterwards whatever happens.
 *
 * `REDIS_SERVER` names another binary. Nothing here speaks through the client that is under test.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import * as Net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Reply, ReplyError, RespConnection } from "./resp.ts"

export { type Reply, ReplyError } from "./resp.ts"

export class RedisServerError extends Data.TaggedError("RedisServerError")<{ readonly message: string }> {}

export interface Options {
  /** Lines of `redis.conf`, such as `"maxmemory 10mb"`. Default: nothing is kept on disk. */
  readonly config?: ReadonlyArray<string> | undefined
  /** Password of the default user; `cli` uses it too. */
  readonly password?: string | undefined
  /** Listens with TLS too, on a port of its own, with a certificate made for this server (`openssl` is needed). */
  readonly tls?: boolean | undefined
  /** Runs as a Sentinel, which needs `config` to say what it watches. */
  readonly sentinel?: boolean | undefined
  /** Another binary than `redis-server`, `valkey-server` or `$REDIS_SERVER`. */
  readonly binary?: string | undefined
  /** How long the server may take to answer, in milliseconds. Default 10,000. */
  readonly readyWithin?: number | undefined
}

export interface Server {
  readonly host: "127.0.0.1"
  readonly port: number
  /** `redis://127.0.0.1:port`, without a password. */
  readonly url: string
  readonly directory: string
  /** With the option `tls`: `rediss://127.0.0.1:port`, and the certificate (PEM) that a client has to trust. */
  readonly tls: { readonly url: string; readonly certificate: string } | undefined
  /** Process id of the running server; another one after `restart`. */
  readonly pid: () => number
  /** Sends a signal. For those that end the process (not SIGSTOP, SIGCONT) it returns when the process is gone. */
  readonly kill: (signal?: NodeJS.Signals) => Effect.Effect<void>
  /** Ends the server at once, without saving. The directory stays for `restart`. */
  readonly stop: Effect.Effect<void>
  /** Ends it when it still runs and starts it again in the same directory on the same port. */
  readonly restart: Effect.Effect<void, RedisServerError>
  /** Runs one command over a plain socket. An error reply, or no reply within 10 s, fails with `ReplyError`. */
  readonly cli: (...args: ReadonlyArray<string | number | Uint8Array>) => Effect.Effect<Reply, ReplyError>
  /** Empties the server: data, script cache. */
  readonly flush: Effect.Effect<void, ReplyError>
  /** What the server has written to its log since it started. */
  readonly log: () => string
}

/** One server that the tests of a file share, see {@link layer}. */
export class RedisServer extends Context.Service<RedisServer, Server>()("effect-redis-workers/test/RedisServer") {}

const host = "127.0.0.1" as const
const install = "install one (Debian, Ubuntu: `apt-get install redis-server`; macOS: `brew install redis`) or set " +
  "REDIS_SERVER to the path of the binary"

/** A port that nobody listens on, for now. */
export const freePort = Effect.callback<number, RedisServerError>((resume) => {
  const probe = Net.createServer()
  probe.once(
    "error",
    (cause) => resume(Effect.fail(new RedisServerError({ message: `no free port: ${cause.message}` })))
  )
  probe.listen(0, host, () => {
    const address = probe.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    probe.close(() => resume(Effect.succeed(port)))
  })
})

// What must not survive this process: `exit` covers its normal end and vitest's own teardown.
const cleanups = new Set<() => void>()
process.once("exit", () => {
  for (const cleanup of cleanups) cleanup()
})

interface Running {
  readonly child: ChildProcess
  readonly exited: Promise<void>
  readonly log: () => string
  readonly isRunning: () => boolean
}

/**
 * `exit` handlers do not run when this process is killed. A shell in a group of its own waits for the end of our side of
 * its standard input, which the system closes in every case, and ends the server then.
 */
const guard = (pid: number, directory: string): ChildProcess => {
  const script = "cat >/dev/null; kill -9 \"$1\"; rm -rf \"$2\""
  const child = spawn("sh", ["-c", script, "guard", String(pid), directory], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"]
  })
  child.on("error", () => {})
  child.stdin?.on("error", () => {})
  return child
}

const launch = (binary: string, args: ReadonlyArray<string>, directory: string) =>
  Effect.callback<Running, RedisServerError>((resume) => {
    const child = spawn(binary, args, { cwd: directory, stdio: ["ignore", "pipe", "pipe"], detached: true })
    let log = ""
    let running = true
    const collect = (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-16_384)
    }
    child.stdout.on("data", collect)
    child.stderr.on("data", collect)
    const exited = new Promise<void>((resolve) => {
      child.once("exit", () => {
        running = false
        resolve()
      })
    })
    child.once("error", (cause) => resume(Effect.fail(new RedisServerError({ message: cause.message }))))
    child.once("spawn", () => {
      const watchdog = guard(child.pid!, directory)
      const cleanup = () => {
        if (running) child.kill("SIGKILL")
        watchdog.kill("SIGKILL")
        rmSync(directory, { recursive: true, force: true })
      }
      cleanups.add(cleanup)
      void exited.then(() => {
        // The process id may be given to another process from here on.
        watchdog.kill("SIGKILL")
        cleanups.delete(cleanup)
      })
      resume(Effect.succeed({ child, exited, log: () => log, isRunning: () => running }))
    })
  })

const launchAny = (binaries: ReadonlyArray<string>, args: ReadonlyArray<string>, directory: string) => {
  const [first, ...rest] = binaries.map((binary) => launch(binary, args, directory))
  return rest.reduce((before, next) => Effect.catch(before, () => next), first!).pipe(
    Effect.mapError((error) =>
      new RedisServerError({ message: `cannot start ${binaries.join(" or ")} (${error.message}): ${install}` })
    )
  )
}

const end = (running: Running, signal: NodeJS.Signals) =>
  Effect.promise(() => {
    if (running.isRunning()) running.child.kill(signal)
    return running.exited
  })

/** Waits until the server answers `PING` (asking for a password is an answer too). */
const ready = (running: Running, port: number, within: number): Effect.Effect<void, RedisServerError> =>
  Effect.gen(function*() {
    const deadline = performance.now() + within
    while (true) {
      const answer = yield* Effect.promise(() =>
        RespConnection.ask(port, ["PING"], 1000).then((reply) => String(reply), (cause: Error) => cause.message)
      )
      if (running.isRunning() && (answer === "PONG" || answer.startsWith("NOAUTH"))) return
      if (!running.isRunning() || performance.now() > deadline) {
        return yield* new RedisServerError({
          message: `the server on port ${port} ${
            running.isRunning() ? `only says "${answer}"` : "ended"
          }:\n${running.log()}`
        })
      }
      yield* Effect.promise(() => new Promise<void>((resolve) => setTimeout(resolve, 10)))
    }
  })

/** Writes key and certificate of the server, and gives the certificate. */
const makeCertificate = (directory: string) =>
  Effect.try({
    try: () => {
      const certificate = join(directory, "cert.pem")
      const subject = "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1,DNS:localhost"
      const request = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 ${subject}`
      execFileSync("openssl", [...request.split(" "), "-keyout", join(directory, "key.pem"), "-out", certificate], {
        stdio: "ignore"
      })
      return readFileSync(certificate, "utf8")
    },
    catch: (cause) => new RedisServerError({ message: `cannot make a certificate with openssl: ${String(cause)}` })
  })

/** Starts a server that lives as long as the scope. */
export const start = (options: Options = {}): Effect.Effect<Server, RedisServerError, Scope.Scope> =>
  Effect.gen(function*() {
    const directory = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-redis-workers-"))),
      (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }))
    )
    const binaries = options.binary !== undefined ? [options.binary] : process.env["REDIS_SERVER"]
      ? [process.env["REDIS_SERVER"]]
      : ["redis-server", "valkey-server"]
    const within = options.readyWithin ?? 10_000
    const file = join(directory, "redis.conf")

    const certificate = options.tls === true ? yield* makeCertificate(directory) : undefined
    let port = 0
    let tlsPort = 0
    let running: Running | undefined
    yield* Effect.addFinalizer(() => running === undefined ? Effect.void : end(running, "SIGKILL"))

    const boot = Effect.gen(function*() {
      writeFileSync(
        file,
        [
          `port ${port}`,
          `bind ${host}`,
          `dir ${directory}`,
          ...options.sentinel === true ? [] : ["save \"\"", "appendonly no"],
          "daemonize no",
          ...options.password === undefined ? [] : [`requirepass ${options.password}`],
          ...certificate === undefined ? [] : [
            `tls-port ${tlsPort}`,
            `tls-cert-file ${join(directory, "cert.pem")}`,
            `tls-key-file ${join(directory, "key.pem")}`,
            `tls-ca-cert-file ${join(directory, "cert.pem")}`,
            "tls-auth-clients no"
          ],
          ...options.config ?? []
        ].join("\n")
      )
      running = yield* launchAny(binaries, options.sentinel === true ? [file, "--sentinel"] : [file], directory)
      yield* ready(running, port, within)
    })

    // Somebody else may take a free port before the server does.
    for (let attempt = 1;; attempt++) {
      port = yield* freePort
      if (certificate !== undefined) tlsPort = yield* freePort
      const result = yield* Effect.result(boot)
      if (result._tag === "Success") break
      if (running !== undefined) yield* end(running, "SIGKILL")
      if (attempt === 5 || !/address already in use/i.test(result.failure.message)) return yield* result.failure
    }

    const current = () => running!
    const stop = Effect.suspend(() => end(current(), "SIGKILL"))
    const cli: Server["cli"] = (...args) =>
      Effect.tryPromise({
        try: () => RespConnection.ask(port, args, 10_000, options.password),
        catch: (cause) => cause instanceof ReplyError ? cause : new ReplyError(String(cause))
      })
    return {
      host,
      port,
      url: `redis://${host}:${port}`,
      directory,
      tls: certificate === undefined ? undefined : { url: `rediss://${host}:${tlsPort}`, certificate },
      pid: () => current().child.pid!,
      kill: (signal = "SIGKILL") =>
        signal === "SIGSTOP" || signal === "SIGCONT"
          ? Effect.sync(() => {
            current().child.kill(signal)
          })
          : Effect.suspend(() => end(current(), signal)),
      stop,
      restart: Effect.andThen(stop, boot),
      cli,
      flush: Effect.andThen(cli("FLUSHALL"), cli("SCRIPT", "FLUSH")).pipe(Effect.asVoid),
      log: () => current().log()
    }
  })

/** One server for all tests of a suite: `layer(RedisServer.layer())("…", (it) => …)`. */
export const layer = (options: Options = {}): Layer.Layer<RedisServer, RedisServerError> =>
  Layer.effect(RedisServer, start(options))

/** A key prefix that no other test has, for tests that share a server and run at once. */
export const uniquePrefix = (): string => `t${randomUUID().slice(0, 8)}`
