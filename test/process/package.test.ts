/**
 * The package as its users get it: packed, installed into an empty project, type-checked and run there.
 *
 * Nothing comes over the network. The tarball has no dependencies, so `npm install --offline` can install it; its peers
 * (and Node's types) are links to the copies that this repository has, which is also the way to have each just once.
 */
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { blocks, fences } from "../support/markdown.ts"
import { actionOf } from "../support/messages.ts"
import { start } from "../support/processes.ts"
import { freePort, start as startServer } from "../support/redisServer.ts"
import { files as filesOf } from "../support/repository.ts"
import { until } from "../support/until.ts"

const run = promisify(execFile)
const root = join(import.meta.dirname, "../..")

describe("the packed package", () => {
  let project = ""

  const link = async (name: string): Promise<void> => {
    const target = join(project, "node_modules", name)
    await mkdir(dirname(target), { recursive: true })
    await symlink(join(root, "node_modules", name), target, "dir")
  }
  const linkOnce = (name: string): Promise<void> =>
    link(name).catch((error: NodeJS.ErrnoException) => assert.strictEqual(error.code, "EEXIST"))
  const evaluate = (code: string) =>
    run(process.execPath, ["--input-type=module", "--eval", code], { cwd: project, timeout: 20_000 })

  beforeAll(async () => {
    project = await mkdtemp(join(tmpdir(), "effect-redis-workers-package-"))
    // Packing builds dist first, by the script `prepack`.
    const packed = await run("npm", ["pack", "--silent", "--pack-destination", project], { cwd: root })
    const tarball = packed.stdout.trim().split("\n").at(-1) ?? ""
    await writeFile(join(project, "package.json"), JSON.stringify({ name: "empty", private: true, type: "module" }))
    await run("npm", ["install", "--offline", "--legacy-peer-deps", "--no-audit", "--no-fund", `./${tarball}`], {
      cwd: project
    })
    for (const name of ["effect", "ioredis"]) await link(name)
  }, 120_000)

  afterAll(() => rm(project, { recursive: true, force: true }))

  it("loads every public module without its optional peer", async () => {
    const files = await readdir(join(project, "node_modules/effect-redis-workers/dist"))
    const modules = files.filter((file) => /^[A-Z].*\.js$/.test(file)).map((file) => `/${file.slice(0, -3)}`)
    assert.include(modules, "/Worker")
    const { stdout } = await evaluate(`
      for (const name of ${JSON.stringify(["", "/testing", ...modules])}) await import("effect-redis-workers" + name)
      console.log("loaded")
    `)
    assert.strictEqual(stdout, "loaded\n")
  })

  it("loads the memory server and its Lua VM when a server is made, not when the package is imported", async () => {
    const { stdout } = await evaluate(`
      import { registerHooks } from "node:module"
      const loaded = []
      registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) })
      const ofMemory = () => loaded.filter((url) => /internal\\/memory|fengari/.test(url)).length
      const { RedisMemory } = await import("effect-redis-workers")
      await import("effect-redis-workers/testing")
      const Effect = await import("effect/Effect")
      const before = ofMemory()
      await Effect.runPromise(RedisMemory.makeServer)
      console.log(loaded.length > 2, before, ofMemory())
    `)
    assert.strictEqual(stdout.trim(), "true 0 1")
    const { dependencies } = JSON.parse(
      await readFile(join(project, "node_modules/effect-redis-workers/package.json"), "utf8")
    ) as { readonly dependencies?: unknown }
    assert.strictEqual(dependencies, undefined)
  })

  it("has the bin redis-workers, which names a missing peer in one line, and loads with the peer", async () => {
    const bin = (...args: ReadonlyArray<string>) =>
      run("npx", ["redis-workers", ...args], { cwd: project, timeout: 30_000 })
    const peer = join(project, "node_modules/@effect/platform-node")
    await rm(peer, { force: true })
    const missing = await bin("--help").catch((error: Error & { code: number; stderr: string }) => error)
    assert.strictEqual(
      missing.stderr,
      "redis-workers needs @effect/platform-node, which is not installed: npm install @effect/platform-node\n"
    )
    await link("@effect/platform-node")
    assert.include((await bin("--help")).stdout, "doctor")
    assert.match((await bin("acl", "worker", "--service", "payment")).stdout, /^user worker .*~nooble4:dev:payment:/)
    await rm(peer, { force: true })
  }, 120_000)

  it("has every file that its exports name, whatever the condition", async () => {
    const folder = join(project, "node_modules/effect-redis-workers")
    const { exports } = JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as { exports: object }
    const named = Object.values(exports).flatMap((target: string | object) =>
      typeof target === "string" ? [target] : Object.values(target) as Array<string>
    )
    assert.isTrue(named.some((path) => path.startsWith("./src/")))
    assert.deepStrictEqual(named.filter((path) => !existsSync(join(folder, path))), [])
  })

  it("keeps its internal modules to itself", async () => {
    const { stdout } = await evaluate(`
      await import("effect-redis-workers/internal/scripts/script").catch((error) => console.log(error.code))
    `)
    assert.strictEqual(stdout, "ERR_PACKAGE_PATH_NOT_EXPORTED\n")
  })

  it("type-checks every snippet of the README and runs the first", async () => {
    for (const name of ["@effect/platform-node", "@types/node"]) await linkOnce(name)
    const files = blocks(await readFile(join(root, "README.md"), "utf8"), "ts").map((text, i) => ({
      name: `snippet${i + 1}.ts`,
      text
    }))
    for (const { name, text } of files) await writeFile(join(project, name), text)
    await writeFile(
      join(project, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: {
          target: "ES2023",
          module: "NodeNext",
          types: ["node"],
          strict: true,
          exactOptionalPropertyTypes: true,
          noUncheckedIndexedAccess: true,
          noUnusedLocals: true,
          skipLibCheck: false,
          noEmit: true
        },
        files: files.map(({ name }) => name)
      })
    )
    // TypeScript 5.9 is the oldest compiler that the declarations are for; those of others may be too new for it.
    const compilers = [["typescript/bin/tsc"], ["@tsd/typescript/typescript/bin/tsc", "--skipLibCheck"]]
    for (const [compiler, ...args] of compilers) {
      // A type error is written to the standard output, which the failure then shows.
      await run(process.execPath, [join(root, "node_modules", compiler!), "--project", project, ...args]).catch(
        (error: Error & { stdout: string }) => {
          assert.fail(`${compiler}: ${error.stdout === "" ? error.message : error.stdout}`)
        }
      )
    }
    // A snippet that fails or does not end rejects here, with what it wrote.
    const { stdout } = await run(process.execPath, ["snippet1.ts"], { cwd: project, timeout: 20_000 })
    assert.include(stdout, "created: id of eva@example.com\ntaken: ana@example.com\n")
  }, 180_000)

  it(
    "runs the two services of docs/getting-started.md as the page says, and its program without a server",
    async () => {
      for (const name of ["@effect/platform-node", "@types/node"]) await linkOnce(name)
      const folder = join(project, "getting-started")
      await mkdir(folder)
      const page = await readFile(join(root, "docs/getting-started.md"), "utf8")
      for (const { notes, text } of fences(page)) {
        const file = notes.find((note) => note.startsWith("file="))
        if (file !== undefined) await writeFile(join(folder, file.slice("file=".length)), text)
      }
      const [config] = blocks(page, "json")
      await writeFile(join(folder, "tsconfig.json"), config!)
      await run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "--project", folder]).catch(
        (error: Error & { stdout: string }) => assert.fail(error.stdout === "" ? error.message : error.stdout)
      )
      await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
        const server = yield* startServer({ config: ["appendonly yes"] })
        const env = { REDIS_URL: server.url, QUEUE_PREFIX: "shop", NO_COLOR: "1" }
        const started = (name: string, service: string) =>
          start(name, { folder, env: { ...env, SERVICE_NAME: service } })
        const worker = yield* started("stock", "stock")
        // The lines that the page has, without their time and annotations.
        const [reads] = blocks(page, "text")
        yield* until("it reads", Effect.sync(() => worker.lines().some((line) => line.includes(reads!.trim()))), 60_000)
        const caller = yield* started("shop", "shop")
        assert.deepStrictEqual(yield* caller.ended(60_000), { status: 0, signal: null }, caller.lines().join("\n"))
        assert.strictEqual(caller.count(/^reserved 3: [\da-f-]{36}$/), 1)
        assert.strictEqual(caller.count(/^no 30 of lamp$/), 1)
        yield* worker.signal("SIGINT")
        assert.deepStrictEqual(yield* worker.ended(60_000), { status: 0, signal: null })
        const memory = yield* start("memory", { folder, env: { NO_COLOR: "1" } })
        yield* memory.line(/^reserved: /, 60_000)
        assert.deepStrictEqual(yield* memory.ended(60_000), { status: 0, signal: null })
      })))
    },
    180_000
  )

  it("runs the worker of examples/deploy, whose metrics are those of its dashboard, until SIGTERM", async () => {
    for (const name of ["@effect/platform-node", "@types/node"]) await linkOnce(name)
    await writeFile(join(project, "worker.ts"), await readFile(join(root, "examples/deploy/worker.ts"), "utf8"))
    const dashboard = await readFile(join(root, "examples/deploy/grafana/dashboard.json"), "utf8")
    await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
      const server = yield* startServer()
      const port = yield* freePort
      const get = (path: string) =>
        Effect.tryPromise(() => fetch(`http://127.0.0.1:${port}${path}`)).pipe(
          Effect.flatMap((response) => Effect.promise(async () => ({ ok: response.ok, text: await response.text() }))),
          Effect.orElseSucceed(() => ({ ok: false, text: "" }))
        )
      const worker = yield* start("worker", {
        folder: project,
        env: { REDIS_URL: server.url, SERVICE_NAME: "user", PORT: String(port) }
      })
      yield* until("it is ready", Effect.map(get("/health/ready"), ({ ok }) => ok), 60_000)
      yield* server.cli("XADD", "nooble4:dev:user:streams:main", "*", "data", actionOf("user.ping", 1, { data: {} }))
      yield* until(
        "the metrics have the action",
        Effect.map(get("/metrics"), ({ text }) => /^redis_workers_actions_total\{.*outcome="ack".*\} 1$/m.test(text))
      )
      const { text } = yield* get("/metrics")
      // A counter of what has not happened is not there yet, and a client's metrics are those of a client.
      for (const name of ["lag", "pending", "in_flight", "start_delay_ms_bucket", "handler_duration_ms_bucket"]) {
        assert.include(text, `\nredis_workers_${name}{`)
        assert.include(dashboard, `redis_workers_${name}{`)
      }
      yield* worker.signal("SIGTERM")
      assert.deepStrictEqual(yield* worker.ended(60_000), { status: 0, signal: null })
    })))
  }, 180_000)

  describe("compiles with all examples in a strict project with skipLibCheck", () => {
    const examples = filesOf("examples", ".ts")
    const files = ["strict/api.ts", "strict/modules.ts", ...examples]

    beforeAll(async () => {
      await mkdir(join(project, "strict"))
      for (const name of ["@effect/platform-node", "@types/node", "vitest", "fastify"]) await linkOnce(name)
      // Half of the types that users rely on is what must not compile: a package whose types are lost fails there.
      const api = await readFile(join(root, "test/unit/api.test-d.ts"), "utf8")
      await writeFile(
        join(project, "strict/api.ts"),
        api.replaceAll(
          /"(?:\.\.\/)+src\/(testing\/)?index\.ts"/g,
          (_, testing: string | undefined) =>
            testing === undefined ? "\"effect-redis-workers\"" : "\"effect-redis-workers/testing\""
        )
      )
      // As they are: they import the package by its name.
      assert.isAbove(examples.length, 20)
      await cp(join(root, "examples"), join(project, "examples"), { recursive: true })
      const { exports } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { exports: object }
      const paths = Object.keys(exports).filter((path) => !path.endsWith(".json")).map((path) => path.slice(1))
      await writeFile(
        join(project, "strict/modules.ts"),
        paths.map((path, i) => `export * as module${i} from "effect-redis-workers${path}"`).join("\n")
      )
    })

    const resolutions = {
      NodeNext: { module: "NodeNext" },
      bundler: { module: "ESNext", moduleResolution: "bundler" }
    }
    const compilers = { "TypeScript 5.9": "@tsd/typescript/typescript/bin/tsc", "TypeScript 7": "typescript/bin/tsc" }
    for (const [resolution, options] of Object.entries(resolutions)) {
      for (const [version, compiler] of Object.entries(compilers)) {
        it(`with ${resolution} resolution and ${version}`, async () => {
          const config = join(project, `tsconfig.${resolution}.${version.replace(" ", "-")}.json`)
          await writeFile(
            config,
            JSON.stringify({
              compilerOptions: {
                ...options,
                target: "ES2023",
                types: ["node"],
                strict: true,
                skipLibCheck: true,
                // Examples import the files beside them as Node runs them.
                allowImportingTsExtensions: true,
                noEmit: true
              },
              files
            })
          )
          await run(process.execPath, [join(root, "node_modules", compiler), "--project", config]).catch(
            (error: Error & { stdout: string }) => assert.fail(error.stdout === "" ? error.message : error.stdout)
          )
        }, 120_000)
      }
    }
  })
})
