/**
 * The tests that docs/testing.md shows, taken from the page and run: by vitest, and by `node --test` where they say so.
 * That they compile is for docs.test.ts, as with every page.
 */
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { fences } from "../support/markdown.ts"
import * as Server from "../support/redisServer.ts"

const root = join(import.meta.dirname, "../..")
const project = mkdtempSync(join(tmpdir(), "effect-redis-workers-testing-"))
afterAll(() => rmSync(project, { recursive: true, force: true }))

/** The library by path, so that it needs no build. */
const withPaths = (text: string): string =>
  text.replace(
    /from "effect-redis-workers(\/testing)?"/g,
    (_, testing: string | undefined) =>
      `from ${JSON.stringify(join(root, "src", `${testing === undefined ? "" : "testing/"}index.ts`))}`
  )

const files = fences(readFileSync(join(root, "docs/testing.md"), "utf8")).flatMap(({ language, notes, text }) => {
  const name = notes.find((note) => note.startsWith("file="))?.slice("file=".length)
  return language === "ts" && name !== undefined ? [{ name, text: withPaths(text) }] : []
})
const tests = files.filter(({ name }) => name.endsWith(".test.ts"))
const isOfNode = ({ text }: { readonly text: string }) => text.includes("\"node:test\"")

const run = promisify(execFile)

/** What a program says, also when it fails. */
const output = (program: Promise<{ readonly stdout: string; readonly stderr: string }>): Promise<string> =>
  program.then(
    ({ stdout }) => stdout,
    (error: { stdout?: string; stderr?: string; message: string }) =>
      `${error.stdout ?? ""}${error.stderr ?? ""}${error.message}`
  )

describe("docs/testing.md", () => {
  beforeAll(() => {
    symlinkSync(join(root, "node_modules"), join(project, "node_modules"), "dir")
    writeFileSync(join(project, "package.json"), "{ \"type\": \"module\" }")
    for (const { name, text } of files) writeFileSync(join(project, name), text)
  })

  it("shows tests of each kind", () => {
    assert.isAbove(tests.length, 5)
    assert.isTrue(tests.some(isOfNode))
  })

  it(
    "has tests that pass in vitest, in memory and on a server",
    () =>
      Effect.runPromise(Effect.scoped(Effect.gen(function*() {
        const server = yield* Server.start()
        const names = tests.filter((test) => !isOfNode(test)).map(({ name }) => name)
        const told = yield* Effect.promise(() =>
          output(
            run(
              process.execPath,
              [
                join(root, "node_modules/vitest/vitest.mjs"),
                "run",
                "--root",
                project,
                "--reporter",
                "json",
                "--outputFile",
                join(project, "report.json"),
                // One process for all files: most of the time is that of imports.
                "--no-isolate",
                "--maxWorkers",
                "1",
                "--testTimeout",
                "30000",
                ...names
              ],
              {
                cwd: project,
                env: { PATH: process.env["PATH"], HOME: process.env["HOME"], TEST_REDIS_URL: server.url },
                maxBuffer: 64 * 1024 * 1024
              }
            )
          )
        )
        const report = join(project, "report.json")
        assert.isTrue(existsSync(report), told.slice(-4_000))
        interface Report {
          readonly numTotalTests: number
          readonly testResults: ReadonlyArray<{
            readonly name: string
            readonly message: string
            readonly assertionResults: ReadonlyArray<{
              readonly fullName: string
              readonly status: string
              readonly failureMessages: ReadonlyArray<string>
            }>
          }>
        }
        // SAFETY: the reporter's own form.
        const { numTotalTests, testResults } = JSON.parse(readFileSync(report, "utf8")) as Report
        assert.strictEqual(testResults.length, names.length)
        for (const { assertionResults, message, name } of testResults) {
          assert.isNotEmpty(assertionResults, `${name}: ${message}`)
          for (const { failureMessages, fullName, status } of assertionResults) {
            assert.strictEqual(status, "passed", `${name}: ${fullName}\n${failureMessages.join("\n")}`)
          }
        }
        assert.isAbove(numTotalTests, 200)
      }))),
    120_000
  )

  for (const { name } of tests.filter(isOfNode)) {
    it(`has tests that pass in node:test: ${name}`, async () => {
      // The runner of this test must not be taken for the one that runs `node --test`.
      const env = { PATH: process.env["PATH"], HOME: process.env["HOME"] }
      const told = await output(
        run(process.execPath, ["--test", "--test-reporter", "tap", join(project, name)], { cwd: project, env })
      )
      assert.match(told, /^# pass [1-9]\d*\n# fail 0$/m, told)
    }, 60_000)
  }
})
