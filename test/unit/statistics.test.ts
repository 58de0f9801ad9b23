/** What is counted, and the numbers that are made of it. */
import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { bucketCount, bucketOf, durationOf, percentile } from "../../src/internal/base/histogram.ts"
import { addText, columnCount, outcomes, textOf } from "../../src/internal/redis/statistics.ts"

/** Half a bucket: the eighth root of two. */
const furthest = 2 ** (1 / 8) + 1e-9

const shortest = 1 / 16
const longest = 2 * 24 * 3_600_000

const countsOf = (durations: ReadonlyArray<number>): ReadonlyArray<number> => {
  const counts = Array.from({ length: bucketCount }, () => 0)
  for (const duration of durations) counts[bucketOf(duration)]!++
  return counts
}

/** By its definition: the smallest that so many are not above. */
const exactly = (durations: ReadonlyArray<number>, part: number): number => {
  const sorted = durations.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)]!
}

const within = Schema.Number.check(Schema.isBetween({ minimum: 0, maximum: 1 }))

describe("A histogram of durations", () => {
  it.prop(
    "has percentiles within a tenth of the exact ones, from a sixteenth of a millisecond to two days",
    { exponents: Schema.NonEmptyArray(within), part: within },
    ({ exponents, part }) => {
      const durations = exponents.map((exponent) => shortest * (longest / shortest) ** exponent)
      const ratio = percentile(countsOf(durations), part) / exactly(durations, part)
      assert.isTrue(ratio < furthest && ratio > 1 / furthest, `off by a factor of ${ratio}`)
      assert.isBelow(furthest, 1.1)
    },
    { arbitrary: { runs: 500 } }
  )

  it("puts the end of a bucket into that bucket, and what is longer into the next", () => {
    for (let bucket = 0; bucket < bucketCount - 1; bucket++) {
      const end = shortest * 2 ** (bucket / 4)
      assert.strictEqual(bucketOf(end * (1 - 1e-9)), bucket)
      assert.strictEqual(bucketOf(end * (1 + 1e-9)), bucket + 1)
    }
  })

  it("has a bucket for every number that a clock can give", () => {
    for (const duration of [-5, -0, 0, Number.NaN, Number.MIN_VALUE]) assert.strictEqual(bucketOf(duration), 0)
    for (const duration of [longest * 100, Number.MAX_VALUE, Number.POSITIVE_INFINITY]) {
      assert.strictEqual(bucketOf(duration), bucketCount - 1)
    }
  })

  it("counts ranks as the nearest-rank method does", () => {
    const counts = countsOf([1, 1, 1, 1, 1, 1, 1, 1, 1, 100])
    const [short, long] = [durationOf(bucketOf(1)), durationOf(bucketOf(100))]
    assert.deepStrictEqual([0, 0.5, 0.9, 0.91, 0.99, 1].map((part) => percentile(counts, part)), [
      short,
      short,
      short,
      long,
      long,
      long
    ])
  })
})

const Count = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4_294_967_295 }))

describe("The text of counts", () => {
  it.prop(
    "reads as it was written",
    {
      columns: Schema.Array(
        Schema.Tuple([Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: columnCount - 1 })), Count])
      )
    },
    ({ columns }) => {
      const counts = new Uint32Array(columnCount)
      for (const [column, count] of columns) counts[column] = count
      const read = Array.from({ length: columnCount }, () => 0)
      addText(read, textOf(counts))
      assert.deepStrictEqual(read, [...counts])
    }
  )

  it("names outcomes, and numbers the buckets of durations", () => {
    const counts = new Uint32Array(columnCount)
    counts[0] = 12
    counts[outcomes.length] = 1
    counts[outcomes.length + 31] = 9
    assert.strictEqual(textOf(counts), "succeeded=12 0=1 31=9")
  })

  it("adds to what is there, and leaves out names that a later version may write", () => {
    const read = Array.from({ length: columnCount }, () => 1)
    addText(read, "retried=2 cancelled=7 128=1 retried=3")
    assert.deepStrictEqual(
      read,
      Array.from({ length: columnCount }, (_, column) => outcomes[column] === "retried" ? 6 : 1)
    )
  })
})
