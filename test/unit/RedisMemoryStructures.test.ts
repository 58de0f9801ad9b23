/** The structures under RedisMemory against the plain arrays that they stand for, at sizes where they reorganise. */
import { assert, describe, it } from "@effect/vitest"
import * as Args from "../../src/internal/memory/arguments.ts"
import { toBytes } from "../../src/internal/memory/bytes.ts"
import * as Deque from "../../src/internal/memory/deque.ts"
import * as Ids from "../../src/internal/memory/ids.ts"
import * as Ordered from "../../src/internal/memory/ordered.ts"
import * as SortedSet from "../../src/internal/memory/sortedSet.ts"
import { generator } from "../../src/internal/testing/generator.ts"

const seeds = [1, 2, 3, 4, 5]

describe("SortedSet", () => {
  it.each(seeds)("keeps thousands of members in order (seed %i)", (seed) => {
    const next = generator(seed)
    const below = (n: number) => Math.floor(next() * n)
    const set = SortedSet.make()
    const model = new Map<string, number>()
    const ordered = () =>
      [...model].map(([name, score]) => ({ name, score })).sort((a, b) =>
        a.score - b.score || Args.compareBytes(a.name, b.name)
      )
    for (let i = 0; i < 6000; i++) {
      const name = `m${below(4000)}`
      if (next() < 0.75) {
        const score = next() < 0.5 ? i : below(50)
        SortedSet.set(set, name, score)
        model.set(name, score)
      } else assert.strictEqual(SortedSet.remove(set, name), model.delete(name))
      if (i % 500 === 499) {
        const from = below(model.size)
        const members = ordered().slice(from, from + below(1200))
        assert.deepStrictEqual(SortedSet.removeRange(set, from, from + members.length), members)
        for (const member of members) model.delete(member.name)
        const all = ordered()
        assert.deepStrictEqual(SortedSet.slice(set, 0, Infinity), all)
        assert.strictEqual(SortedSet.size(set), all.length)
        const some = all[below(all.length)]
        assert.strictEqual(some === undefined ? undefined : SortedSet.rank(set, some.name), some && all.indexOf(some))
        assert.strictEqual(
          SortedSet.search(set, (member) => member.score < 25),
          all.filter((member) => member.score < 25).length
        )
      }
    }
  })
})

describe("Ordered", () => {
  it.each(seeds)("keeps entries in order through deletions and late additions (seed %i)", (seed) => {
    const next = generator(seed)
    const below = (n: number) => Math.floor(next() * n)
    const entries = Ordered.make<number>()
    const model = new Map<number, number>()
    const id = (ms: number): Ids.EntryId => ({ ms, seq: 0 })
    let last = 0
    for (let i = 0; i < 4000; i++) {
      const action = next()
      if (action < 0.45) {
        last += 1 + below(3)
        Ordered.add(entries, id(last), `${last}-0`, i)
        model.set(last, i)
      } else if (action < 0.55) {
        const ms = below(last + 1)
        if (!model.has(ms)) {
          Ordered.add(entries, id(ms), `${ms}-0`, i)
          model.set(ms, i)
        }
      } else {
        const ms = next() < 0.5 ? Math.min(...model.keys(), Infinity) : below(last + 1)
        assert.strictEqual(Ordered.remove(entries, `${ms}-0`), model.get(ms))
        model.delete(ms)
      }
      if (i % 97 === 0) {
        const all = [...model].sort(([a], [b]) => a - b)
        const [from, to, count] = [below(last + 1), below(last + 1), 1 + below(20)]
        const within = all.filter(([ms]) => ms >= from && ms <= to)
        const values = (cells: ReadonlyArray<Ordered.Cell<number>>) => cells.map((cell) => cell.value)
        assert.deepStrictEqual(
          values(Ordered.range(entries, id(from), id(to), count)),
          within.slice(0, count).map(([, value]) => value)
        )
        assert.deepStrictEqual(
          values(Ordered.rangeReverse(entries, id(from), id(to), count)),
          within.toReversed().slice(0, count).map(([, value]) => value)
        )
        assert.strictEqual(Ordered.first(entries)?.value, all[0]?.[1])
        assert.strictEqual(Ordered.last(entries)?.value, all.at(-1)?.[1])
        assert.strictEqual(Ordered.size(entries), all.length)
      }
    }
  })
})

describe("Deque", () => {
  it.each(seeds)("does what an array does (seed %i)", (seed) => {
    const next = generator(seed)
    const deque = Deque.make()
    const model: Array<string> = []
    for (let i = 0; i < 3000; i++) {
      const value = String(i)
      const action = next()
      if (action < 0.35) {
        Deque.pushLeft(deque, value)
        model.unshift(value)
      } else if (action < 0.7) {
        Deque.pushRight(deque, value)
        model.push(value)
      } else if (action < 0.85) assert.strictEqual(Deque.popLeft(deque), model.shift())
      else assert.strictEqual(Deque.popRight(deque), model.pop())
      if (i % 101 === 0) {
        assert.deepStrictEqual(Deque.toArray(deque), model)
        assert.strictEqual(Deque.get(deque, i % 7), model[i % 7])
      }
    }
  })
})

describe("numbers and texts", () => {
  it("prints doubles as C does", () => {
    const printed: ReadonlyArray<readonly [value: number, text: string]> = [
      [0, "0"],
      [-0, "-0"],
      [3, "3"],
      [-1.5, "-1.5"],
      [0.1, "0.10000000000000001"],
      [1 / 3, "0.33333333333333331"],
      [1e16, "10000000000000000"],
      [2 ** 53 + 2, "9007199254740994"],
      [2 ** 56 + 16, "72057594037927952"],
      [1e17, "1e+17"],
      [2 ** 70, "1.1805916207174113e+21"],
      [1.5e300, "1.5000000000000001e+300"],
      [5e-324, "4.9406564584124654e-324"],
      [123456789.123, "123456789.123"],
      [0.0001, "0.0001"],
      [0.00001, "1.0000000000000001e-05"],
      [Infinity, "inf"],
      [-Infinity, "-inf"]
    ]
    assert.deepStrictEqual(printed.map(([value]) => Args.formatDouble(value)), printed.map(([, text]) => text))
  })

  it("orders texts by their bytes", () => {
    const texts = ["", "a", "b", "ab", "é", "z", "\uffff", "\ue000", "😀", "a😀", "a\uffff", "𐀀", "퟿", "A"].map(toBytes)
    const byBytes = texts.toSorted((a, b) => Buffer.compare(Buffer.from(a, "latin1"), Buffer.from(b, "latin1")))
    assert.deepStrictEqual(texts.toSorted(Args.compareBytes), byBytes)
  })

  it("compares ids as numbers, up to the last one", () => {
    const ids = [
      "0-1",
      "9-0",
      "10-0",
      "10-2",
      "10-11",
      "9007199254740993-0",
      "18446744073709551615-18446744073709551615"
    ]
      .map((text) => Ids.parseStrict(text))
    assert.deepStrictEqual(ids.toReversed().toSorted(Ids.compare), ids)
    for (const id of ids) {
      const next = Ids.next(id)
      if (next !== undefined) assert.deepStrictEqual(Ids.previous(next), id)
    }
    assert.strictEqual(Ids.next(Ids.max), undefined)
    assert.strictEqual(Ids.previous(Ids.zero), undefined)
    assert.deepStrictEqual(Ids.generate(Ids.parseStrict("5-18446744073709551615"), 3), Ids.parseStrict("6-0"))
  })
})
