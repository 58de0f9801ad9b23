/** What `redis-workers` prints for people: on terminals of some width, with and without color, again and again, and as completion. */
import { assert, layer } from "@effect/vitest"
import { displayWidth } from "effect/cli/CliOutput"
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { stripVTControlCharacters } from "node:util"
import { onTerminal, redisWorkers } from "../support/commandLine.ts"
import { actionOf } from "../support/messages.ts"
import * as Server from "../support/redisServer.ts"

const isThere = (program: string): boolean => spawnSync(program, ["--version"]).error === undefined

/** Long texts in every column. */
const filled = Effect.gen(function*() {
  const { cli, flush, url } = yield* Server.RedisServer
  const stream = "nooble4:dev:screen:streams:main"
  yield* flush
  const type = `screen.${"a_very_long_name_".repeat(5)}`
  const data = actionOf(type, 1, { data: { text: "日本語 ".repeat(40) } })
  yield* cli("XGROUP", "CREATE", stream, "screen-group", "0", "MKSTREAM")
  for (let i = 0; i < 3; i++) yield* cli("XADD", stream, "*", "data", data)
  yield* cli("XREADGROUP", "GROUP", "screen-group", `worker-${"x".repeat(90)}`, "COUNT", 1, "STREAMS", stream, ">")
  const letter = ["reason", "rejected", "error_type", "Declined", "message", "no ".repeat(60), "entry_id", "1-1"]
  yield* cli("XADD", "nooble4:dev:screen:streams:dead", "*", ...letter, "time", "1", "fields", "1", "data", data)
  return { cli, url }
})

const screens = [
  ["stats"],
  ["list", "waiting", "--payload"],
  ["list", "running"],
  ["dead", "ls"],
  ["dead", "groups"],
  ["consumers"],
  ["services"],
  ["schedules", "ls"]
] as const

// Util-linux and BSD have other flags for `script`.
const hasTerminals = process.platform === "linux" && isThere("script")

layer(Server.layer(), { excludeTestServices: true, timeout: 60_000 })("a screen of the command line", (it) => {
  it.effect.skipIf(!hasTerminals)("is never wider than the terminal, and in color", () =>
    Effect.gen(function*() {
      const { url } = yield* filled
      for (const columns of [80, 140]) {
        const shown = yield* Effect.forEach(screens, (args) =>
          Effect.map(onTerminal(url, [...args, "-s", "screen"], { columns }), (output) =>
            [args, output] as const), {
          concurrency: 2
        })
        for (const [args, output] of shown) {
          const lines = stripVTControlCharacters(output).split(/\r?\n/)
          assert.isAbove(lines.length, 1, args.join(" "))
          for (const line of lines) {
            assert.isAtMost(displayWidth(line), columns, `${args.join(" ")}: ${line}`)
          }
        }
        assert.isTrue(shown.every(([args, output]) =>
          args[0] === "schedules" || output.includes("\u001b[1m")
        ))
      }
    }), 120_000)

  it.effect.skipIf(!hasTerminals)("has no color with NO_COLOR, and none in a pipe", () =>
    Effect.gen(function*() {
      const { url } = yield* filled
      for (const args of [["stats"], ["dead", "ls"], ["doctor"]]) {
        const output = yield* onTerminal(url, [...args, "-s", "screen"], { columns: 80, env: { NO_COLOR: "1" } })
        assert.notInclude(output, "\u001b[", args.join(" "))
        const piped = yield* redisWorkers(url, [...args, "-s", "screen"])
        assert.notInclude(piped.stdout + piped.stderr, "\u001b", args.join(" "))
      }
      // Nothing is cut where a program may read it.
      const { stdout } = yield* redisWorkers(url, ["dead", "ls", "-s", "screen"])
      assert.include(stdout, "no ".repeat(59))
    }), 120_000)

  it.effect("is printed again by --watch until Ctrl+C, one document a line with --json", () =>
    Effect.gen(function*() {
      const { cli, url } = yield* filled
      const lengthOf = (line: string) => (JSON.parse(line) as { overview: { length: number } }).overview.length
      let added = false
      const result = yield* redisWorkers(url, ["stats", "--watch", "-s", "screen", "--json"], {
        until: (output) => {
          const lines = output.split("\n").slice(0, -1)
          if (lines.length === 1 && !added) {
            added = true
            Effect.runFork(cli("XADD", "nooble4:dev:screen:streams:main", "*", "data", "x"))
          }
          return lines.length >= 2 && lengthOf(lines.at(-1)!) > lengthOf(lines[0]!)
        }
      })
      assert.strictEqual(result.status, 130)
      assert.strictEqual(result.stderr, "")
      const people = yield* redisWorkers(url, ["stats", "--watch", "-s", "screen"], {
        until: (output) => output.split("waiting ").length > 2
      })
      assert.strictEqual(people.status, 130)
    }), 120_000)
})

const shells = [["bash", "-n"], ["zsh", "-n"], ["fish", "--no-execute"]] as const

layer(Server.layer(), { excludeTestServices: true, timeout: 60_000 })("a completion", (it) => {
  for (const [shell, flag] of shells) {
    it.effect.skipIf(!isThere(shell))(
      `is a script that ${shell} accepts, and has every command`,
      () =>
        Effect.gen(function*() {
          const { url } = yield* Server.RedisServer
          const { status, stdout } = yield* redisWorkers(url, ["--completions", shell])
          assert.strictEqual(status, 0)
          const directory = mkdtempSync(join(tmpdir(), "completion-"))
          const file = join(directory, "script")
          writeFileSync(file, stdout)
          const checked = spawnSync(shell, [flag, file], { encoding: "utf8" })
          rmSync(directory, { recursive: true })
          assert.deepStrictEqual([checked.status, checked.stderr], [0, ""])
          for (const word of ["retry-now", "bury", "reschedule", "backfill", "dry-run", "completions"]) {
            assert.include(stdout, word)
          }
        }),
      60_000
    )
  }

  it.effect("completes commands and their subcommands in bash", () =>
    Effect.gen(function*() {
      const { url } = yield* Server.RedisServer
      const { stdout } = yield* redisWorkers(url, ["--completions", "bash"])
      const complete = (...words: ReadonlyArray<string>) => {
        const line = ["redis-workers", ...words].map((word) => `'${word}'`).join(" ")
        const ask = `\nname=$(complete -p redis-workers | sed -E 's/.*-F ([^ ]+).*/\\1/')\n` +
          `COMP_WORDS=(${line})\nCOMP_CWORD=${words.length}\nCOMP_LINE="redis-workers ${words.join(" ")}"\n` +
          `COMP_POINT=\${#COMP_LINE}\n$name redis-workers '${words.at(-1)}' ''\nprintf '%s\\n' "\${COMPREPLY[@]}"\n`
        return spawnSync("bash", ["--norc"], { input: stdout + ask, encoding: "utf8" }).stdout.trim().split(/\s+/)
      }
      assert.includeMembers(complete("re"), ["resume", "request", "retry-now", "reschedule"])
      assert.includeMembers(complete("dead", ""), ["ls", "groups", "show", "dry-run", "replay", "discard"])
      assert.include(complete("list", "--pay"), "--payload")
    }), 60_000)
})
