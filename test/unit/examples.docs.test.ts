/**
 * Recipes that stand in the documentation and in examples/ are the same: the example is what is written.
 *
 * `UPDATE_DOCS=1` writes them into the pages.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { fences } from "../support/markdown.ts"
import { files } from "../support/repository.ts"

const root = join(import.meta.dirname, "../..")
const read = (path: string): string => readFileSync(join(root, path), "utf8")

/** Without its header. */
const asSnippet = (source: string): string => source.replace(/^\/\*\*[\s\S]*?\*\/\n/, "")

describe("docs/exactly-once.md", () => {
  const page = "docs/exactly-once.md"

  for (const name of ["Sqlite.ts", "Inbox.ts", "Outbox.ts"]) {
    it(`has examples/payment/${name}`, () => {
      const before = read(page)
      const snippet = fences(before).find(({ notes }) => notes.includes(`file=${name}`))
      assert(snippet !== undefined)
      const text = asSnippet(read(`examples/payment/${name}`))
      if (process.env["UPDATE_DOCS"] === "1") writeFileSync(join(root, page), before.replace(snippet.text, () => text))
      else assert.strictEqual(snippet.text, text, `${page}: run this file with UPDATE_DOCS=1`)
    })
  }
})

describe("The comparison", () => {
  it.each(["README.md", "docs/comparison.md"])("compares with the versions that are here, in %s", (page) => {
    const [head = ""] = /^\| \| this, .*$/m.exec(read(page)) ?? []
    const version = (name: string): string =>
      (JSON.parse(read(name === "" ? "package.json" : `node_modules/${name}/package.json`)) as { version: string })
        .version
    const named = [
      ["this, ", ""],
      ["`PersistedQueue` of effect ", "effect"],
      ["[BullMQ](https://bullmq.io) ", "bullmq"]
    ] as const
    for (const [text, name] of named) {
      const said = head.slice(head.indexOf(text) + text.length).split(" ")[0]!
      assert(said !== "" && `${version(name)}.`.startsWith(`${said}.`), `${text}${said}, not ${version(name)}`)
    }
  })
})

describe("examples", () => {
  it("import the package by its name", () => {
    const relative = files("examples", ".ts").filter((file) => read(file).includes("/src/"))
    assert.deepStrictEqual(relative, [])
  })
})

describe("README.md and docs/README.md", () => {
  it("lead to every example", () => {
    const pages = read("README.md") + read("docs/README.md")
    for (const name of readdirSync(join(root, "examples"))) assert.include(pages, `examples/${name}`)
  })
})
