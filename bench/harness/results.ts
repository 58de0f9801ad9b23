/**
 * Numbers of all rounds → the rows of the table and of `results.json`.
 */
import { handWritten, type Numbers, type Scenario } from "./scenario.ts"

export interface Result {
  readonly scenario: string
  readonly system: string
  readonly unit: string
  readonly median: number
  readonly min: number
  readonly max: number
  /** The median through that of the hand-written loop; `null` where there is none to compare with. */
  readonly ratio_to_hand_written: number | null
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

const rounded = (value: number): number => Number(value.toPrecision(4))

/** `numbers` holds what each case measured, a round after the other. */
export const resultsOf = (scenario: Scenario, numbers: ReadonlyMap<string, ReadonlyArray<Numbers>>): Array<Result> =>
  scenario.rows.flatMap((row) => {
    const valuesOf = (system: string) => numbers.get(system)?.map((measured) => measured[row.key]!) ?? []
    const base = median(valuesOf(handWritten))
    return scenario.cases.map(({ system }) => {
      const values = valuesOf(system)
      const middle = median(values)
      return {
        scenario: row.scenario,
        system,
        unit: row.unit,
        median: rounded(middle),
        min: rounded(Math.min(...values)),
        max: rounded(Math.max(...values)),
        ratio_to_hand_written: base > 0 ? rounded(middle / base) : null
      }
    })
  })

const show = (value: number): string =>
  value.toLocaleString("en", { maximumFractionDigits: Math.abs(value) < 100 ? 1 : 0 })

/** A table for the terminal, and for a page of Markdown. */
export const tableOf = (results: ReadonlyArray<Result>): string => {
  const head = ["scenario", "system", "median", "min – max", "spread", "unit", "× hand-written"]
  const rows = results.map((result) => [
    result.scenario,
    result.system,
    show(result.median),
    `${show(result.min)} – ${show(result.max)}`,
    result.median === 0 ? "" : `${Math.round((result.max - result.min) / Math.abs(result.median) * 100)} %`,
    result.unit,
    result.ratio_to_hand_written === null ? "" : result.ratio_to_hand_written.toFixed(2)
  ])
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)))
  const isNumber = (column: number) => [2, 3, 4, 6].includes(column)
  const line = (cells: ReadonlyArray<string>) =>
    `| ${
      cells.map((cell, column) => isNumber(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!))
        .join(" | ")
    } |`
  const rule = widths.map((width, column) => isNumber(column) ? `${"-".repeat(width - 1)}:` : "-".repeat(width))
  return [line(head), line(rule), ...rows.map(line)].join("\n")
}
