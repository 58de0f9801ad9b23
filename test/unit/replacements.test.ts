import { assert, describe, it } from "@effect/vitest"
import { hasReplacements, replacementsIn } from "../../src/internal/wire/json.ts"

describe("replacements", () => {
  it("counts each, wherever it stands", () => {
    for (
      const [text, count] of [["", 0], ["a", 0], ["\uFFFD", 1], ["\uFFFDa\uFFFD\uFFFD", 3], ["a\uFFFDb", 1]] as const
    ) {
      assert.strictEqual(replacementsIn(text), count)
      assert.strictEqual(hasReplacements(text), count > 0)
    }
  })
})
