/** Snippets of the documentation and of docstrings compile, and those that say what they print are run. */
import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { afterAll, assert, describe, it } from "vitest"
import { docstrings, type Fence, fences } from "../support/markdown.ts"
import { pages, read, root, sources } from "../support/repository.ts"

const run = promisify(execFile)

interface Snippet extends Fence {
  readonly page: string
  /** Where it is written, in the folder of all snippets. */
  readonly file: string
}

const snippetsOf = (page: string, markdown: string): ReadonlyArray<Snippet> =>
  fences(markdown).filter(({ language }) => language === "ts").map((fence) => ({
    ...fence,
    page,
    file: join(page, fence.notes.find((note) => note.startsWith("file="))?.slice("file=".length) ?? `${fence.line}.ts`)
  }))

/** The library by path, so that a snippet compiles and runs without a build. */
const withPaths = (text: string): string =>
  text.replace(/(from|import) "effect-redis-workers(?:\/(.*?))?"/g, (_, word: string, module: string | undefined) => {
    const path = module === undefined ? "index" : module === "testing" ? "testing/index" : module
    return `${word} ${JSON.stringify(join(root, "src", `${path}.ts`))}`
  })

/** What stands at the top level counts as used, so that unused imports alone are found. */
const exported = (text: string): string =>
  text.replace(/^(?=(?:declare )?(?:const|class|interface|type) )/gm, "export ")

describe("the snippets of the documentation", () => {
  const project = mkdtempSync(join(tmpdir(), "effect-redis-workers-docs-"))
  afterAll(() => rmSync(project, { recursive: true, force: true }))

  const snippets = [
    ...pages.flatMap((page) => snippetsOf(page, read(page))),
    ...sources.flatMap((source) => snippetsOf(source, docstrings(read(source))))
  ]
  symlinkSync(join(root, "node_modules"), join(project, "node_modules"), "dir")
  writeFileSync(join(project, "package.json"), "{ \"type\": \"module\" }")
  for (const { file, line, text } of snippets) {
    mkdirSync(dirname(join(project, file)), { recursive: true })
    writeFileSync(join(project, file), "\n".repeat(line - 1) + withPaths(exported(text)))
  }

  it("all compile", async () => {
    assert.isAbove(snippets.length, 50)
    const { compilerOptions } = JSON.parse(read("tsconfig.json").replace(/^\s*\/\/.*$/gm, "")) as {
      compilerOptions: object
    }
    writeFileSync(
      join(project, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: { ...compilerOptions, plugins: [], rewriteRelativeImportExtensions: false },
        files: snippets.map(({ file }) => file)
      })
    )
    const told = await run(join(root, "node_modules/.bin/tsc"), ["--project", project, "--pretty", "false"], {
      cwd: project
    }).then(() => "", (error: { stdout: string; message: string }) => error.stdout || error.message)
    // Errors of the library itself are for `npm run check:types`, which names their files as they are.
    assert.deepStrictEqual(told.split("\n").filter((line) => line !== "" && !line.startsWith("..")), [])
  }, 120_000)

  for (const { file, line, page, text } of snippets.filter(({ notes }) => notes.includes("run"))) {
    it(`print what ${page} says, at line ${line}`, async () => {
      const all = fences(read(page))
      const printed = all[all.findIndex((fence) => fence.text === text) + 1]
      assert(printed !== undefined && printed.notes.includes("prints"), "what it prints is missing: ```text prints")
      const { stdout } = await run(process.execPath, [join(project, file)], { timeout: 30_000 })
      // A worker logs on standard output that it starts and drains.
      const output = stdout.replaceAll(/^\[[\d:.]+\] INFO .*\n/gm, "")
      assert.strictEqual(output, printed.text)
    }, 40_000)
  }
})
