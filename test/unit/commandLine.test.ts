/** The command line: its documentation is that of its definitions, and its texts and tables are safe for terminals. */
import { displayWidth } from "effect/cli/CliOutput"
import * as Completions from "effect/cli/Completions"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { withNames } from "../../src/cli/commands/acl.ts"
import { parseDuration } from "../../src/cli/flags.ts"
import { root } from "../../src/cli/root.ts"
import { none } from "../../src/cli/style.ts"
import { table } from "../../src/cli/table.ts"
import { duration, json, safe } from "../../src/cli/text.ts"

const page = join(import.meta.dirname, "../../docs/command-line.md")

const rowsOf = (command: Completions.CommandDescriptor, path: string): ReadonlyArray<string> =>
  command.subcommands.length > 0
    ? command.subcommands.flatMap((inner) => rowsOf(inner, `${path}${inner.name} `))
    : [
      `| \`${
        [
          path.trim(),
          ...command.arguments.map(({ name, required }) => required ? `<${name}>` : `[${name}]`)
        ].join(" ")
      }\` | ${command.description ?? ""} |`
    ]

describe("docs/command-line.md", () => {
  it("lists every command with its description", () => {
    const text = readFileSync(page, "utf8")
    const [begin, end] = ["<!-- commands:begin -->\n", "<!-- commands:end -->"]
    const rows = ["| command | what it does |", "| --- | --- |", ...rowsOf(Completions.fromCommand(root), "")].join(
      "\n"
    )
    const wanted = `${text.slice(0, text.indexOf(begin) + begin.length)}${rows}\n${text.slice(text.indexOf(end))}`
    if (process.env["UPDATE_DOCS"] === "1") writeFileSync(page, wanted)
    else assert.strictEqual(text, wanted, "run this file with UPDATE_DOCS=1")
  })

  it("describes every command and every flag", () => {
    const check = (command: Completions.CommandDescriptor, path: string): void => {
      assert.isNotEmpty(command.description ?? "", path)
      for (const { description, name } of command.flags) assert.isNotEmpty(description ?? "", `${path} --${name}`)
      for (const inner of command.subcommands) check(inner, `${path} ${inner.name}`)
    }
    check(Completions.fromCommand(root), "redis-workers")
  })
})

describe("texts of the command line", () => {
  it("escape what a terminal acts on, and keep everything else", () => {
    assert.strictEqual(
      safe("a\u001b[2J\u0007\n\u009b\u202e\u2028\u{e0001}b"),
      "a\\x1b[2J\\x07\\n\\x9b\\u{202e}\\u{2028}\\u{e0001}b"
    )
    assert.strictEqual(safe("naïve 日本語 🎉"), "naïve 日本語 🎉")
    const value = { text: "\u001b\u009b\u202e\u{e0001}\ud800" }
    assert.notMatch(json(value), /[\p{Cc}\p{Cf}\p{Cs}]/u)
    assert.deepStrictEqual(JSON.parse(json(value)), value)
  })

  it("write times in ISO 8601, durations in milliseconds, and null for what is absent", () => {
    const value = { at: DateTime.makeUnsafe(0), for: Duration.seconds(2), none: undefined, list: [undefined] }
    assert.strictEqual(json(value), "{\"at\":\"1970-01-01T00:00:00.000Z\",\"for\":2000,\"none\":null,\"list\":[null]}")
  })

  it("show durations in at most two units", () => {
    const shown = [0, 999, 1_000, 61_000, 3_600_000, 90_061_000].map((millis) => duration(Duration.millis(millis)))
    assert.deepStrictEqual(shown, ["0 ms", "999 ms", "1 s", "1 min 1 s", "1 h", "1 d 1 h"])
  })

  it("read durations with short units, and a bare number as seconds", () => {
    const millis = (text: string) => {
      const read = parseDuration(text)
      return read._tag === "Some" ? Duration.toMillis(read.value) : undefined
    }
    assert.deepStrictEqual(["90", "10m", "2h", "2 hours", "500ms", "soon"].map(millis), [
      90_000,
      600_000,
      7_200_000,
      7_200_000,
      500,
      undefined
    ])
  })

  it("fit a table to the width of a terminal, and cut nothing in a pipe", () => {
    const rows = [{ id: "1764525600000-0", text: "日本語 ".repeat(30), more: "x".repeat(40) }]
    const columns = [
      { title: "id", cell: ({ id }: typeof rows[0] & {}) => id },
      { title: "text", cell: ({ text }: typeof rows[0] & {}) => text, cut: true },
      { title: "more", cell: ({ more }: typeof rows[0] & {}) => more, rank: 1 }
    ]
    const narrow = table(rows, columns, { width: 60, style: none })
    assert.notInclude(narrow[0], "more")
    assert.include(narrow[1], "…")
    assert.isAtMost(displayWidth(narrow[1]!), 60)
    const whole = table(rows, columns, { width: undefined, style: none })
    assert.include(whole[1], rows[0]!.more)
    assert.notInclude(whole[1], "…")
  })

  it("put other names into an ACL line, and no others", () => {
    const line = "user worker on ~nooble4:dev:user:streams:* ~nooble4:*:user:streams:main ~nooble4:dev:*:responses:*"
    const names = { prefix: "p", environment: "prod", service: "mail", client: "shop" }
    assert.strictEqual(
      withNames(line, names),
      "user worker on ~p:prod:mail:streams:* ~p:*:mail:streams:main ~p:prod:*:responses:*"
    )
  })
})
