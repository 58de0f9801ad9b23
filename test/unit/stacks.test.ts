/** What is left of the stack of an error: lines of the program, and none of the packages that it uses. */
import { assert, describe, it } from "vitest"
import { typeName } from "../../src/internal/base/typeName.ts"
import { withoutStack, withOwnStack } from "../../src/internal/base/withoutStack.ts"

const failed = (): Error => {
  const error = new TypeError("no")
  error.stack = [
    "TypeError: what it said first",
    "    at invalid (file:///shop/node_modules/effect-redis-workers/dist/internal/core.js:745:54)",
    "    at main (file:///shop/src/contracts.ts:3:9)",
    "    at invalid (C:\\shop\\node_modules\\effect\\dist\\Effect.js:1:1)",
    "    at C:\\shop\\src\\main.ts:7:1",
    "    at node:internal/process/task_queues:104:5",
    "    at process.processTicksAndRejections (node:internal/process/task_queues:104:5)"
  ].join("\n")
  return error
}

describe("the stack of an error whose message says all", () => {
  it("is its message alone", () => {
    assert.strictEqual(withoutStack(failed()).stack, "TypeError: no")
  })

  it("has the lines of the program where it was made in one", () => {
    assert.strictEqual(
      withOwnStack(failed()).stack,
      "TypeError: no\n    at main (file:///shop/src/contracts.ts:3:9)\n    at C:\\shop\\src\\main.ts:7:1"
    )
  })

  it("stays as it is in every other way", () => {
    const error = failed()
    assert.strictEqual(withOwnStack(error), error)
    assert.notInclude(Object.keys(error), "stack")
  })
})

describe("a value of the wrong type", () => {
  it("is named with its article, and never shown", () => {
    assert.deepStrictEqual(
      [{ password: "secret" }, null, undefined, 3, "secret", () => "secret"].map(typeName),
      ["an object", "null", "undefined", "a number", "a string", "a function"]
    )
  })
})
