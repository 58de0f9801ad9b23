/** What the README says is so; its snippets are checked with the package, in package.test.ts. */
import * as Duration from "effect/Duration"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { defaults } from "../../src/Settings.ts"
import { blocks } from "../support/markdown.ts"

const root = join(import.meta.dirname, "../..")
const read = (path: string): string => readFileSync(join(root, path), "utf8")
const readme = read("README.md")

describe("README.md", () => {
  it("links to files that exist", () => {
    const targets = [...readme.matchAll(/\]\((?!https?:)([^)#]+)/g)].map((match) => match[1]!)
    assert.isNotEmpty(targets)
    assert.deepStrictEqual(targets.filter((target) => !existsSync(join(root, target))), [])
  })

  it("gives the two commands as the CI runs them", () => {
    const commands = blocks(readme, "sh").map((block) => block.trim())
    assert.deepStrictEqual(commands, ["npm install && npm start", "npm install && npm test"])
    for (const command of commands) assert.include(read(".ci/run"), `bash -c "${command}"`)
  })

  it("names scripts and peers that the package has", () => {
    const { peerDependencies, scripts } = JSON.parse(read("package.json")) as {
      scripts: Record<string, string>
      peerDependencies: Record<string, string>
    }
    for (const [, name] of readme.matchAll(/`npm run ([\w:]+)`/g)) assert.property(scripts, name!)
    for (const [name, range] of Object.entries(peerDependencies)) {
      const version = new RegExp(`^\\| \`${name}\` \\| ([\\d.]+)`, "m").exec(readme)?.[1]
      assert(
        version !== undefined && range.startsWith(`^${version}`),
        `README.md says ${version} of ${name}, not ${range}`
      )
    }
  })

  it("states the defaults that the code has", () => {
    assert.include(readme, `after ${defaults.maxAttempts} attempts`)
    assert.include(readme, `after ${Duration.toSeconds(defaults.claimIdle)} seconds of silence`)
    assert.include(readme, `delivered more than ${defaults.maxDeliveries} times`)
    assert.include(readme, `waits up to ${Duration.toSeconds(defaults.shutdownGrace)} seconds`)
  })
})
