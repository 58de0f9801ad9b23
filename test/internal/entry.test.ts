import { assert, describe, it } from "@effect/vitest"
import { isBefore } from "../../src/internal/entry.ts"

describe("isBefore", () => {
  const numbers = [0, 1, 9, 10, 99, 7600, 10_421, 1_751_169_780_000, 1_751_169_780_001]

  it("orders ids by time and then by sequence, as numbers", () => {
    const ids = numbers.flatMap((time) => [0, 1, 9, 10, 11, 100].map((sequence) => `${time}-${sequence}`))
    ids.forEach((a, i) => {
      ids.forEach((b, j) => assert.strictEqual(isBefore(a, b), i < j, `${a} before ${b}`))
    })
  })
})
