/** What somebody new here does wrong, as a program that somebody starts: it must end, and say what to do. */
import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import * as Processes from "../support/processes.ts"
import { layer as serverLayer, RedisServer, start as startServer } from "../support/redisServer.ts"

const timeout = 90_000
const root = join(import.meta.dirname, "../..")

/** Starts the program with the mistake, and gives what it says from the line with the error on. */
const told = Effect.fnUntraced(function*(env: Processes.Options["env"]) {
  const program = yield* Processes.start("mistakes", { env: { NO_COLOR: "1", ...env } })
  const ended = yield* program.ended(timeout / 2)
  const output = program.lines().join("\n")
  assert.deepStrictEqual(ended, { status: 1, signal: null }, output)
  const error = program.lines().findIndex((line) => /\bERROR\b/.test(line))
  assert.isAbove(error, -1, output)
  return program.lines().slice(error).join("\n")
})

const service = { SERVICE_NAME: "user" }

/** Mistakes that a server has no part in. */
const alone: ReadonlyArray<readonly [mistake: string, env: Processes.Options["env"], says: RegExp]> = [
  [
    "no SERVICE_NAME",
    {},
    /SettingsError: SERVICE_NAME is not set: expected a name of 1 to 128 letters, digits, "_" or "-"/
  ],
  [
    "several wrong settings, all of which are reported",
    { SERVICE_NAME: "my service", WORKER_CONCURRENCY: "many", REDIS_PASSWORD: "secret", REDIS_URL: "localhost:6379" },
    /(?=.*SERVICE_NAME is "my service": expected a name)(?=.*WORKER_CONCURRENCY is "many": expected a whole number)(?=.*REDIS_URL is .*: expected redis:\/\/)/s
  ],
  [
    "a URL of something else",
    { ...service, REDIS_URL: "http://user:secret@localhost:6379" },
    /REDIS_URL is a URL with the scheme "http:\/\/": expected redis:\/\/\[user:password@\]host\[:port\]/
  ],
  [
    "a server that is down",
    { ...service, REDIS_URL: "redis://127.0.0.1:1" },
    /Cannot connect to Redis at 127\.0\.0\.1:1: .*ECONNREFUSED.*\(check that the server runs, and that host and port are right\)/
  ],
  [
    "a host that does not exist",
    { ...service, REDIS_URL: "redis://no-such-host.invalid" },
    /Cannot connect to Redis at no-such-host\.invalid:6379: .*\(check the host in REDIS_URL, and DNS\)/
  ]
]

describe("mistakes in the environment", () => {
  for (const [mistake, env, says] of alone) {
    it.live(`${mistake}: the program ends, and its last error says what to do`, () =>
      Effect.gen(function*() {
        const line = yield* told(env)
        assert.match(line, says)
        assert.notInclude(line, "secret")
      }), timeout)
  }
})

/** Mistakes in the program, or in what it is told to do. */
const running: ReadonlyArray<readonly [mistake: string, says: RegExp]> = [
  ["missing handler", /TypeError: Missing handler: user\.delete/],
  ["missing layer", /Service not found: effect\/persistence\/Redis/],
  ["wrong payload", /EncodeError: The payload does not fit the contract of user\.create: age: Expected number/],
  ["another contract", /RemoteFailure: The payload does not fit the contract of user\.create: age: Missing key/],
  [
    "nobody there",
    /RequestTimeout: No answer to user\.create within 500ms: .*Check that a worker of its service runs.*with actionId [\da-f-]{36}/
  ],
  ["wrong option", /InvalidOption: The option "concurrency" is 0: expected a whole number from 1 to 100000/]
]

layer(serverLayer(), { excludeTestServices: true })("mistakes in the program", (it) => {
  for (const [mistake, says] of running) {
    it.effect(`${mistake}: the program ends, and its last error says what to do`, () =>
      Effect.gen(function*() {
        const { url } = yield* RedisServer
        assert.match(yield* told({ ...service, REDIS_URL: url, MISTAKE: mistake }), says)
      }), timeout)
  }
})

describe("a server with a password", () => {
  it.live("ends a program that gives none or another one, with the reason", () =>
    Effect.gen(function*() {
      const { url } = yield* startServer({ password: "right" })
      const env = { ...service, REDIS_URL: url }
      assert.match(yield* told(env), /RedisStartError: Cannot connect to Redis at .*\(.*REDIS_PASSWORD.*\)/)
      const line = yield* told({ ...env, REDIS_PASSWORD: "secret" })
      assert.match(line, /RedisStartError: Cannot connect to Redis at .*\(.*REDIS_PASSWORD.*\)/)
      assert.notInclude(line, "secret")
    }), timeout)
})

describe("two copies of effect", () => {
  it("are found where a contract is made", async () => {
    // By the paths of links a copy is another one, so that nothing has to be copied.
    const project = mkdtempSync(join(tmpdir(), "effect-redis-workers-copies-"))
    try {
      writeFileSync(join(project, "package.json"), "{ \"type\": \"module\" }")
      symlinkSync(join(root, "node_modules"), join(project, "node_modules"), "dir")
      symlinkSync(join(root, "src"), join(project, "library"), "dir")
      mkdirSync(join(project, "app/node_modules"), { recursive: true })
      symlinkSync(join(root, "node_modules/effect"), join(project, "app/node_modules/effect"), "dir")
      writeFileSync(
        join(project, "app/main.ts"),
        `import { Schema } from "effect"
import { Action } from "../library/index.ts"
for (const options of [{ payload: { email: Schema.String } }, { success: Schema.Struct({}) }, { error: Schema.String }]) {
  try {
    Action.make("user.create", options)
    console.log("made")
  } catch (error) {
    console.log(error.message)
  }
}
`
      )
      const nodeArgs = ["--preserve-symlinks", "--preserve-symlinks-main", join(project, "app/main.ts")]
      const { stdout } = await promisify(execFile)(process.execPath, nodeArgs, { cwd: project, timeout: timeout / 2 })
      const message =
        "The schemas of \"user.create\" come from another copy of effect. \"npm ls effect\" shows both: run \"npm dedupe\", " +
        "or install the same version everywhere"
      assert.deepStrictEqual(stdout.trim().split("\n"), [message, message, message])
    } finally {
      rmSync(project, { recursive: true, force: true })
    }
  }, timeout)
})
