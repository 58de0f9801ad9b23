/** When another worker may take over a schedule that is not declared any more. */
import { assert, describe, it } from "@effect/vitest"
import { Renewals } from "../../src/internal/schedules/renewals.ts"
import { type Spec, type Stored, versionOf } from "../../src/internal/schedules/spec.ts"

const spec: Spec = {
  actionType: "user.report",
  data: {},
  rule: { every: 60_000 },
  missed: "latest",
  overlap: "allow",
  jitter: 0,
  from: undefined,
  until: undefined
}

const declared = (renewed: number, version = versionOf(spec)): Stored => ({
  version,
  origin: "declared",
  renewed,
  spec
})

const look = (renewals: Renewals, stored: Stored | undefined) => {
  renewals.note("report", stored)
  const isOver = stored !== undefined && renewals.isOver("report", stored)
  renewals.ended()
  return isOver
}

describe("A declaration", () => {
  it("is over when the fifth look in a row finds it as the first did", () => {
    const renewals = new Renewals()
    assert.deepStrictEqual([1, 2, 3, 4, 5].map(() => look(renewals, declared(7))), [false, false, false, false, true])
  })

  it("that is renewed between looks is not over, whatever the clock of the server says", () => {
    const renewals = new Renewals()
    for (const renewed of [5, 31_536_000_000, 6, 7, 3, 4, 5, 6]) {
      assert.isFalse(look(renewals, declared(renewed)))
      assert.isFalse(look(renewals, declared(renewed)))
    }
  })

  it("of another version begins anew", () => {
    const renewals = new Renewals()
    for (let n = 0; n < 4; n++) assert.isFalse(look(renewals, declared(7)))
    assert.isFalse(look(renewals, declared(7, "another")))
  })

  it("is not over because looks fail", () => {
    const renewals = new Renewals()
    look(renewals, declared(7))
    for (let n = 0; n < 100; n++) renewals.note("report", declared(7))
    assert.isFalse(renewals.isOver("report", declared(7)))
  })

  it("was never over while it was removed or orphaned", () => {
    const renewals = new Renewals()
    for (let n = 0; n < 4; n++) look(renewals, declared(7))
    look(renewals, { ...declared(7), origin: "orphaned" })
    assert.isFalse(look(renewals, declared(7)))
  })
})
