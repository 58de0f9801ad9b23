/** The folders of `test`, which are what decides where a file runs. */
import { assert, describe, it } from "vitest"
import { files, read } from "../support/repository.ts"

const tests = [...files("test", ".test.ts"), ...files("test", ".test-d.ts")]

describe("the tests of this repository", () => {
  it("lie in a folder that a project of vitest.config.ts or vitest.large.config.ts runs, so that none is forgotten", () => {
    const folders =
      /^test\/(?:(?:unit|both|server|cluster|process|browser|large)\/[^/]+\.test|unit\/[^/]+\.test-d)\.ts$/
    assert.deepStrictEqual(tests.filter((file) => !folders.test(file)), [])
  })

  it("start no server and no process in test/unit", () => {
    const starts =
      /from "(?:\.\.\/support\/(?:redisServer|troubleWorld|sentinel|proxy|processes|jobs)\.ts|node:child_process)"/
    assert.deepStrictEqual(tests.filter((file) => file.startsWith("test/unit/") && starts.test(read(file))), [])
  })

  it("have suites of both places in test/both", () => {
    const only = tests.filter((file) => {
      if (!file.startsWith("test/both/")) return false
      const text = read(file)
      if (/\bonBoth(?:FromZero)?\(|^await import\(/m.test(text)) return false
      return !/\b(?:inMemory|describeInMemory|runsOn)\(/.test(text) || !/\b(?:onServer|\w+OnServer|runsOn)\(/.test(text)
    })
    assert.deepStrictEqual(only, [])
  })
})
