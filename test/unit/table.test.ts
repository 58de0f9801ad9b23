/**
 * A table is a map, whatever comes and goes.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as Table from "../../src/internal/base/table.ts"

interface Value {
  readonly number: number
}

const sorted = (ids: ReadonlyArray<string>) => [...ids].sort()

const assertSame = (table: Table.Table<Value>, map: ReadonlyMap<string, Value>, ids: ReadonlyArray<string>) => {
  assert.strictEqual(table.size(), map.size)
  assert.deepStrictEqual(sorted(table.ids()), sorted([...map.keys()]))
  assert.sameMembers([...table.values()], [...map.values()])
  for (const id of ids) {
    assert.strictEqual(table.get(id), map.get(id))
    assert.strictEqual(table.has(id), map.has(id))
  }
}

const ids = ["a", "b", "c", "d"] as const
const Change = Schema.Struct({ kind: Schema.Literals(["set", "delete"]), id: Schema.Literals(ids) })
const Changes = { changes: Schema.Array(Change) }

describe("table", () => {
  it.prop("holds what a map holds after any sequence of changes", Changes, ({ changes }) => {
    const table = Table.make<Value>()
    const map = new Map<string, Value>()
    changes.forEach(({ id, kind }, number) => {
      if (kind === "set") {
        const value = { number }
        table.set(id, value)
        map.set(id, value)
      } else {
        table.delete(id)
        map.delete(id)
      }
      assertSame(table, map, ids)
    })
  })

  it("keeps the few that stay while many thousands come and go", () => {
    const table = Table.make<Value>()
    const map = new Map<string, Value>()
    const staying = ["first", "second", "third"]
    staying.forEach((id, number) => {
      const value = { number }
      table.set(id, value)
      map.set(id, value)
    })
    for (let number = 0; number < 10_000; number++) {
      table.set(`${number}`, { number })
      if (number >= 20) table.delete(`${number - 20}`)
    }
    for (let number = 9_980; number < 10_000; number++) map.set(`${number}`, { number })
    assert.deepStrictEqual(sorted(table.ids()), sorted([...map.keys()]))
    assert.strictEqual(table.size(), map.size)
    for (const id of staying) assert.strictEqual(table.get(id), map.get(id))
    assert.isUndefined(table.get("0"))
    assert.isFalse(table.has("9979"))
  })

  it("takes an id that was gone as a new one", () => {
    const table = Table.make<Value>()
    table.set("again", { number: 1 })
    table.delete("again")
    table.delete("again")
    assert.strictEqual(table.size(), 0)
    const value = { number: 2 }
    table.set("again", value)
    assert.strictEqual(table.size(), 1)
    assert.strictEqual(table.get("again"), value)
    assert.deepStrictEqual(table.ids(), ["again"])
  })
})
