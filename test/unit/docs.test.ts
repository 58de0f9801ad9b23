/**
 * What the documentation says is so: its links lead somewhere, its tables are those of the code. (Its snippets are compiled
 * and run in test/process/docs.snippets.test.ts.)
 *
 * `UPDATE_DOCS=1` writes the generated tables anew instead of comparing them.
 */
import * as Duration from "effect/Duration"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { assert, describe, it } from "vitest"
import * as library from "../../src/index.ts"
import type { Kind } from "../../src/internal/base/options.ts"
import { callRows, clientRows, laterRows } from "../../src/internal/client/options.ts"
import { filterRows, listRows, manyRows, replayRows, serviceRows } from "../../src/internal/deadLetter/options.ts"
import { connectionRows } from "../../src/internal/ioredis/options.ts"
import { defaultUrl, expectedPassword, fields, passwordName, urlName } from "../../src/internal/redis/settingsFields.ts"
import { expectedRedisUrl } from "../../src/internal/redis/url.ts"
import { healthRows } from "../../src/internal/worker/healthOptions.ts"
import { workerRows } from "../../src/internal/worker/options.ts"
import { type Outcome, type Policy, settlementOf, type Subject } from "../../src/internal/worker/settlementOf.ts"
import type { Settlement } from "../../src/Settlement.ts"
import { anchors, docstrings, prose, rowsAfter, table } from "../support/markdown.ts"
import { files, pages, read, root, sources } from "../support/repository.ts"

// -----------------------------------------------------------------------------
// links
// -----------------------------------------------------------------------------

describe("the documentation", () => {
  for (const page of pages) {
    it(`has in ${page} only links to files and headings that exist`, () => {
      const wrong: Array<string> = []
      for (const [, target] of prose(read(page)).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
        const [path = "", anchor] = target!.split("#")
        const file = path === "" ? page : relative(root, join(root, dirname(page), path))
        if (!existsSync(join(root, file))) wrong.push(target!)
        else if (anchor !== undefined && !anchors(read(file)).includes(anchor)) wrong.push(target!)
      }
      assert.deepStrictEqual(wrong, [])
    })
  }

  it("names every page in docs/README.md", () => {
    for (const page of files("docs", ".md")) {
      if (page !== "docs/README.md") assert.include(read("docs/README.md"), `](${relative("docs", page)})`)
    }
  })
})

// -----------------------------------------------------------------------------
// configuration: generated from the code
// -----------------------------------------------------------------------------

const inSync = (page: string, marker: string, text: string): void => {
  const before = read(page)
  const [begin, end] = [`<!-- ${marker}:begin -->\n`, `<!-- ${marker}:end -->`]
  const [start, stop] = [before.indexOf(begin) + begin.length, before.indexOf(end)]
  assert.isAbove(stop, start - 1, `${page} lacks the markers of ${marker}`)
  if (process.env["UPDATE_DOCS"] === "1") {
    writeFileSync(join(root, page), `${before.slice(0, start)}${text}\n${before.slice(stop)}`)
  } else {
    assert.strictEqual(before.slice(start, stop).trim(), text, `${page}: run this file with UPDATE_DOCS=1`)
  }
}

/** Fields of an interface with their docstrings, split into what they are and their default. */
const fieldsOf = (
  path: string,
  name: string
): ReadonlyArray<readonly [name: string, what: string, byDefault: string]> => {
  const body = new RegExp(`^export interface ${name}\\b[^{]*\\{([\\s\\S]*?)^\\}`, "m").exec(read(path))?.[1]
  assert(body !== undefined, `${path} has no interface ${name}`)
  return [...body.matchAll(/\/\*\*([\s\S]*?)\*\/\s*readonly (\w+)\??:/g)].map(([, doc, field]) => {
    const text = doc!.replace(/\s*\n\s*\*?\s*/g, " ").trim().replace(/\{@link (?:\w+\.)*(\w+)\}/g, "`$1`")
    const found = /^(.*?)\s*\bDefault:? (.*)$/.exec(text)
    return [field!, found?.[1] || text, found === null ? "" : found[2]!.replace(/\.$/, "")]
  })
}

type Rows = Readonly<Record<string, Kind<unknown> & { readonly fallback?: unknown }>>

/** The values that options take, by interface: the rows that the code checks them with. */
const rowsOf: Readonly<Record<string, Rows>> = {
  "src/Worker.ts WorkerOptions": workerRows,
  "src/ActionClient.ts When": { delay: laterRows.times.delay, at: laterRows.at(0) },
  "src/ActionClient.ts LaterOptions": { expiresIn: laterRows.times.expiresIn },
  "src/ActionClient.ts SendOptions": {
    ...laterRows.times,
    "unique.key": laterRows.key,
    "debounce.key": laterRows.key
  },
  "src/ActionClient.ts RequestOptions": callRows,
  "src/ActionClient.ts Options": clientRows,
  "src/IoRedis.ts Options": connectionRows,
  "src/IoRedis.ts ConnectionOptions": connectionRows,
  "src/Health.ts Limits": healthRows,
  "src/DeadLetter.ts Options": serviceRows,
  "src/DeadLetter.ts Filter": filterRows,
  "src/DeadLetter.ts ListOptions": listRows,
  "src/DeadLetter.ts ReplayOptions": replayRows,
  "src/DeadLetter.ts ReplayManyOptions": manyRows
}

/** What is expected of an option; for one with options of its own, of each of those. */
const expectedOf = (rows: Rows, option: string): string =>
  Object.entries(rows).flatMap(([name, { expected }]) =>
    name === option ? [expected] : name.startsWith(`${option}.`) ? [`\`${name}\`: ${expected}`] : []
  ).join("; ")

const optionsTable = (...interfaces: ReadonlyArray<readonly [path: string, name: string]>): string =>
  table(
    ["option", "what it is", "default", "what is expected"],
    interfaces.flatMap(([path, name]) =>
      fieldsOf(path, name).map(([field, what, byDefault]) => [
        `\`${field}\``,
        what,
        byDefault,
        expectedOf(rowsOf[`${path} ${name}`] ?? {}, field)
      ])
    )
  )

const shown = (value: unknown): string => {
  if (value === undefined) return "none"
  if (!Duration.isDuration(value)) {
    return value === 4 * 1024 * 1024
      ? "4 MiB"
      : `\`${typeof value === "string" ? value : JSON.stringify(value)}\``
  }
  const seconds = Duration.toSeconds(value)
  if (seconds >= 86_400) return `${seconds / 86_400} days`
  return seconds >= 3_600
    ? `${seconds / 3_600} hour`
    : seconds === 1
    ? "1 second"
    : seconds > 60
    ? `${seconds / 60} minutes`
    : `${seconds} seconds`
}

interface Setting {
  readonly variable: string
  readonly key: string
  readonly expected: string
  readonly fallback: unknown
}

const settingsTable = (): string => {
  const docs = new Map(
    ["Values", "RedisSettings"].flatMap((name) => fieldsOf("src/Settings.ts", name)).map((field) => [field[0], field])
  )
  const url = { ...urlName, fallback: defaultUrl, expected: expectedRedisUrl }
  const password = { ...passwordName, fallback: undefined, expected: expectedPassword }
  const settings = Object.values(fields).flatMap((field): ReadonlyArray<Setting> =>
    field.key === "serviceName"
      ? [field, url]
      : field.key === "redis.username"
      ? [field, password]
      : [field]
  )
  return table(
    ["variable", "in code", "default", "what it is", "what is expected"],
    settings.map(({ expected, fallback, key, variable }) => {
      const [, what = "", documented = ""] = docs.get(key.split(".").at(-1)!) ?? []
      // A docstring may say more of a default than its value.
      const byDefault = key === "serviceName"
        ? "required"
        : documented.startsWith(shown(fallback))
        ? documented
        : shown(fallback)
      return [`\`${variable}\``, `\`${key}\``, byDefault, what, expected]
    })
  )
}

/** A default as a docstring says it: without marks, and numbers without separators. */
const plain = (text: string): string => text.replace(/[`"]|(?<=\d),(?=\d)/g, "")

describe("docs/configuration.md", () => {
  const page = "docs/configuration.md"

  it("has every setting as the code defines it", () => {
    const text = settingsTable()
    const read = [...text.matchAll(/^\| `([A-Z_]+)`/gm)].map(([, variable]) => variable)
    for (const variable of read) {
      assert.include(docstrings(readFileSync(join(root, "src/Settings.ts"), "utf8")), variable!)
    }
    inSync(page, "settings", text)
  })

  const options = {
    worker: [["src/Worker.ts", "WorkerOptions"]],
    calls: [
      ["src/ActionClient.ts", "CallOptions"],
      ["src/ActionClient.ts", "When"],
      ["src/ActionClient.ts", "LaterOptions"],
      ["src/ActionClient.ts", "SendOptions"],
      ["src/ActionClient.ts", "SendManyOptions"],
      ["src/ActionClient.ts", "RequestOptions"],
      ["src/ActionClient.ts", "CallbackOptions"]
    ],
    client: [["src/ActionClient.ts", "Options"]],
    connection: [["src/IoRedis.ts", "Options"], ["src/IoRedis.ts", "ConnectionOptions"]],
    deadLetters: [["src/DeadLetter.ts", "Options"], ["src/DeadLetter.ts", "ReplayOptions"], [
      "src/DeadLetter.ts",
      "ReplayManyOptions"
    ]],
    health: [["src/Health.ts", "Limits"]]
  } as const
  it("says of each option the default that its row has", () => {
    for (const [place, rows] of Object.entries(rowsOf)) {
      const [path = "", name = ""] = place.split(" ")
      for (const [option, , byDefault] of fieldsOf(path, name)) {
        for (const [key, { fallback }] of Object.entries(rows)) {
          const isOwn = key === option || key.startsWith(`${option}.`)
          if (!isOwn || fallback === undefined || typeof fallback === "object" && !Duration.isDuration(fallback)) {
            continue
          }
          const words = fallback === Number.POSITIVE_INFINITY
            ? /all|no limit/
            : fallback === 16 * 1024 * 1024
            ? /16 Mi/
            : plain(shown(fallback))
          if (typeof words === "string") assert.include(plain(byDefault), words, `${place}: ${key}`)
          else assert.match(byDefault, words, `${place}: ${key}`)
        }
      }
    }
  })

  for (const [marker, interfaces] of Object.entries(options)) {
    it(`has the options of ${marker} as the code documents them`, () => {
      inSync(page, marker, optionsTable(...interfaces))
    })
  }
})

// -----------------------------------------------------------------------------
// settlement
// -----------------------------------------------------------------------------

describe("docs/settlement.md", () => {
  const page = read("docs/settlement.md")
  const id = "3f0c1b9e-6f0a-4d8e-9a53-2b1f6f0a77aa"
  const detail = { error_type: "E", error_code: "E", message: "m", details: null }
  const policy: Policy = {
    maxAttempts: 5,
    unknownFor: 600_000,
    retryDelay: () => 1_000,
    errorReplies: "final",
    callbackErrors: "dead-letter"
  }
  const failed = (disposition: "rejected" | "retryable"): Outcome => ({
    _tag: "Failed",
    failure: { error: undefined, disposition, detail, after: undefined }
  })
  interface Case {
    readonly outcome: Outcome
    readonly with?: Partial<Subject>
    readonly noAction?: true
  }
  const cases: ReadonlyArray<Case> = [
    { outcome: { _tag: "LeaseLost" } },
    { outcome: { _tag: "Malformed", message: "m" }, noAction: true },
    { outcome: { _tag: "Poison" } },
    { outcome: { _tag: "Expired" } },
    { outcome: { _tag: "Unknown", since: 0 } },
    { outcome: { _tag: "Unknown", since: -600_000 } },
    { outcome: { _tag: "Invalid", error: detail } },
    { outcome: { _tag: "Succeeded", data: {} } },
    { outcome: { _tag: "Unencodable", message: "m" } },
    { outcome: failed("rejected") },
    { outcome: failed("rejected"), with: { failureAction: "a.failed" } },
    { outcome: failed("retryable") },
    { outcome: failed("retryable"), with: { attempt: 5 } },
    { outcome: failed("retryable"), with: { attempt: 5, failureAction: "a.failed" } },
    { outcome: { _tag: "Interrupted" } },
    { outcome: { _tag: "Paused", pause: 1 } }
  ]
  const cell = (settlement: Settlement): string => {
    switch (settlement._tag) {
      case "Ack":
        return settlement.expired ? "`Ack` (expired)" : "`Ack`"
      case "DeadLetter":
        return `\`DeadLetter\` ${settlement.reason}${settlement.answer ? " + error response" : ""}${
          settlement.failureAction === undefined ? "" : " + failure action"
        }`
      default:
        return `\`${settlement._tag}\``
    }
  }

  it("has the table of settlementOf", () => {
    const rows = rowsAfter(page, "## The table")
    assert.deepStrictEqual(
      rows.map(([, , ...settlements]) => settlements),
      cases.map((next) =>
        (["none", "response", "callback"] as const).map((expectation) => {
          const action = library.DomainAction.make({
            action_id: id,
            action_type: "a.b",
            timestamp: "t",
            data: {},
            callback_queue_name: expectation === "none" ? null : "list",
            callback_action_type: expectation === "callback" ? "a.c" : null
          })
          return cell(settlementOf(
            next.outcome,
            {
              action: next.noAction ? undefined : action,
              attempt: 1,
              deadline: undefined,
              maxAttempts: undefined,
              failureAction: undefined,
              ...next.with
            },
            policy,
            0
          ))
        })
      )
    )
  })

  it("names every settlement and every reason of a dead letter", () => {
    const source = read("src/Settlement.ts")
    const tags = /export type Settlement =([\s\S]*?)\n\n/.exec(source)![1]!.matchAll(/_tag: "(\w+)"/g)
    assert.sameMembers(
      rowsAfter(page, "What each settlement writes").map(([tag]) => tag!),
      [...tags].map(([, tag]) => `\`${tag}\``)
    )
    assert.deepStrictEqual(
      rowsAfter(page, "## Dead-letter reasons").map(([reason]) => reason),
      unionOf("src/Settlement.ts", "DeadLetterReason").map((reason) => `\`${reason}\``)
    )
  })
})

/** The members of a union of strings. */
const unionOf = (path: string, name: string): ReadonlyArray<string> => {
  const body = new RegExp(`export type ${name} =([\\s\\S]*?)\\n\\n`).exec(read(path))?.[1] ?? ""
  return [...body.matchAll(/"(\w+)"/g)].map(([, member]) => member!)
}

// -----------------------------------------------------------------------------
// errors, metrics, log lines
// -----------------------------------------------------------------------------

/** The longest piece of each message that a call writes, without what is filled in. */
const messagesOf = (call: RegExp): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (const source of sources) {
    for (
      const match of read(source).matchAll(new RegExp(`${call.source}\\(\\s*(["\`])((?:\\\\.|(?!\\1).)*)\\1`, "g"))
    ) {
      const pieces = match[2]!.split(/\$\{(?:[^{}]|\{[^}]*\})*\}/).map((piece) => piece.replaceAll("\\\"", "\"").trim())
      found.push(pieces.reduce((longest, piece) => piece.length > longest.length ? piece : longest, ""))
    }
  }
  return found
}

/** The reasons of each error that has some, by the heading of their table. */
const reasons = {
  "## RedisStartError": library.IoRedis.RedisStartReason.members,
  "## WorkerError": library.Worker.WorkerErrorReason.members,
  "## EncodeError": library.ActionClient.EncodeErrorReason.members
}
const allReasons = new Set<unknown>(Object.values(reasons).flat())

const isError = (value: unknown): value is { readonly name: string } =>
  typeof value === "function" && value.prototype instanceof Error && !allReasons.has(value)

describe("docs/errors.md", () => {
  const page = read("docs/errors.md")

  it("has every error that the library exports, and where", () => {
    const exported = Object.entries(library).flatMap(([module, members]) =>
      typeof members === "object"
        ? Object.values(members).filter(isError).map(({ name }) => `\`${name}\` \`${module}\``)
        : []
    )
    // Also at the root, where every program uses them.
    for (const error of Object.values(library).filter(isError)) {
      assert.isTrue(exported.some((line) => line.startsWith(`\`${error.name}\``)), error.name)
    }
    const listed = rowsAfter(page, "## Errors by tag").flatMap(([tag, modules]) =>
      modules!.split(", ").map((module) => `${tag} ${module}`)
    )
    assert.sameMembers(listed, exported)
  })

  for (const [heading, members] of Object.entries(reasons)) {
    it(`has every reason under ${heading}`, () => {
      assert.sameMembers(rowsAfter(page, heading).map(([reason]) => reason!), members.map(({ name }) => `\`${name}\``))
    })
  }

  it("has every code of an answer", () => {
    const codes = [
      "internal/worker/settlementOf",
      "internal/worker/dispatch",
      "HandlerError",
      "internal/contract/validationDetail",
      "internal/client/answer",
      "internal/worker/settleBatch"
    ]
      .flatMap((
        module
      ) => [...read(`src/${module}.ts`).matchAll(/"([A-Z]+_[A-Z_]+)"/g)].map(([, code]) => `\`${code}\``))
    assert.sameMembers(rowsAfter(page, "## Error codes of answers").map(([code]) => code!), [...new Set(codes)])
  })

  it("has every mistake that is thrown", () => {
    const messages = messagesOf(/throw new TypeError/)
    assert.isNotEmpty(messages)
    for (const message of messages) assert.include(page, message.split(": expected")[0]!)
  })
})

describe("docs/operations.md", () => {
  const page = read("docs/operations.md")

  it("has the metrics that the library exports", () => {
    assert.deepStrictEqual(
      rowsAfter(page, "## Metrics").map(([name]) => name),
      library.Metrics.all.map((metric) => `\`${metric.id}\``)
    )
  })

  it("has every line that is logged", () => {
    const messages = messagesOf(/\b(?:Effect\.log(?:Warning|Error|Info)|found\.push|warn)/)
    assert.isAbove(messages.length, 15)
    const lines = rowsAfter(page, "## Log lines").map(([, line]) => line!).join("\n")
    const missing = messages.filter((message) => !lines.includes(message.replace(/[.;:,(]+$/, "").slice(0, 40)))
    assert.deepStrictEqual(missing, [])
  })
})

describe("CONTRIBUTING.md", () => {
  const page = read("CONTRIBUTING.md")

  it("names modules that exist, and all public ones", () => {
    const named = rowsAfter(page, "## The architecture").flatMap(([modules]) =>
      [...modules!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!)
    )
    for (const name of named) {
      const [start = "", rest] = name.split("*")
      const matches = sources.filter((path) =>
        rest === undefined
          ? path === `src/${name}.ts` || path.startsWith(`src/${name}/`)
          : path.startsWith(`src/${start}`)
      )
      assert.isNotEmpty(matches, name)
    }
    const modules = sources.map((path) => /^src\/([A-Z]\w+)\.ts$/.exec(path)?.[1]).filter((name) => name !== undefined)
    assert.sameMembers(
      named.filter((name) => /^[A-Z]/.test(name)),
      modules.filter((name) => name !== "WorkerError")
    )
  })

  it("tells the way of a message in files that exist, each of which a file before it imports", () => {
    const places = ["src/internal/worker", "src/internal", "."]
    const lines = [...page.matchAll(/^\d+\. (.+)$/gm)].map(([, line]) =>
      [...line!.matchAll(/`([a-zA-Z/.]+)`/g)].map(([, name]) => {
        const file = places.map((place) => join(place, name!.replace(/(\.ts)?$/, ".ts"))).find((path) =>
          sources.includes(path)
        )
        assert.isDefined(file, name)
        return file
      })
    )
    assert.lengthOf(lines, 10)
    const before = new Set<string>()
    for (const [main = "", ...asked] of lines) {
      const imported = [...before].some((path) =>
        [...read(path).matchAll(/from "(\.[^"]+)"/g)].some(([, target]) => join(path, "..", target!) === main)
      )
      assert.isTrue(imported || before.size === 0, `${main} is imported by none of the files before it`)
      for (const path of [main, ...asked]) before.add(path)
    }
  })

  it("names scripts that the package has", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> }
    for (const [, name] of page.matchAll(/npm run ([\w:]+)/g)) assert.property(scripts, name!)
  })
})
