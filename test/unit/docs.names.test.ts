/** docs/configuration.md names every key that the library uses. */
import { assert, describe, it } from "vitest"
import { rowsAfter } from "../support/markdown.ts"
import { read } from "../support/repository.ts"

const keys = [...read("src/internal/redis/names.ts").matchAll(/\bkey\(naming, service, "(\w+)"(?:, "(\w+)")?/g)]
  .map(([, folder, name]) => [folder!, name] as const)

describe("docs/configuration.md", () => {
  it("has every key, by its folder and its name", () => {
    assert.isAbove(keys.length, 15)
    const rows = rowsAfter(read("docs/configuration.md"), "## Names").map(([, names]) => names!)
    const missing = keys.filter(([folder, name]) =>
      !rows.some((row) =>
        row.includes(`{service}:${folder}`) &&
        (name === undefined || row.includes(`${folder}:${name}`) || row.includes(`…:${name}`))
      )
    )
    assert.deepStrictEqual(missing, [])
  })
})
