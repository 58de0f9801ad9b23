/** package.json exports each public module by its name, and nothing else. */
import { assert, describe, it } from "vitest"
import { read, sources } from "../support/repository.ts"

const { exports } = JSON.parse(read("package.json")) as { exports: { readonly [path: string]: unknown } }

/** What users may import: the modules directly in src and src/testing. */
const modules = sources.filter((file) => /^src\/(?:testing\/)?[^/]+$/.test(file)).map((file) => file.slice(4, -3))

/** `index` is the folder itself. */
const pathOf = (module: string): string => `./${module}`.replace(/\/index$/, "")

describe("the exports of package.json", () => {
  it("are the modules of src and src/testing, each by its name", () => {
    assert.sameMembers(Object.keys(exports), [...modules.map(pathOf), "./package.json"])
  })

  it("have no pattern, because a new file must not become public by itself", () => {
    assert.deepStrictEqual(Object.keys(exports).filter((path) => path.includes("*")), [])
  })

  it("lead to the declarations and to the code of the same module, in this repository to its source", () => {
    for (const module of modules) {
      // In this order: the first condition that holds is taken, and one that is listed after `default` never is.
      assert.deepStrictEqual(Object.entries(exports[pathOf(module)] as object), [
        ["@effect-redis-workers/source", `./src/${module}.ts`],
        ["types", `./dist/${module}.d.ts`],
        ["default", `./dist/${module}.js`]
      ], module)
    }
  })
})
