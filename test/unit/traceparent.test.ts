import { assert, describe, it } from "@effect/vitest"
import * as traceparent from "../../src/internal/wire/traceparent.ts"

const valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

describe("a traceparent", () => {
  it("of version 00 is read", () => {
    assert.deepInclude(traceparent.parse(valid), {
      traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
      spanId: "00f067aa0ba902b7",
      sampled: true
    })
  })

  it("is not looked into when it has another length", () => {
    let looked = 0
    class Watched extends String {
      override split(): Array<string> {
        looked++
        return []
      }
    }
    for (const text of [`${valid}0`, valid.slice(1), "", "-".repeat(1_000)]) {
      // SAFETY: a text that counts who takes it apart.
      assert.isUndefined(traceparent.parse(new Watched(text) as unknown as string))
    }
    assert.strictEqual(looked, 0)
  })
})
