/**
 * Tables for people. On a terminal a table fits the width: columns that say least are left out first, then the texts of
 * flexible columns are cut. In a pipe everything is written whole.
 */
import * as CliOutput from "effect/cli/CliOutput"
import { type Style } from "./style.ts"

export interface Column<A> {
  readonly title: string
  /** The text of a cell, already safe for a terminal. */
  readonly cell: (row: A) => string
  readonly align?: "right" | undefined
  /** Whether the text may be cut. */
  readonly cut?: boolean | undefined
  /** Left out if the table is too wide: the highest rank goes first. Default: never. */
  readonly rank?: number | undefined
  readonly paint?: ((row: A, text: string, style: Style) => string) | undefined
}

const gap = 2
const narrowest = 10

const widthOf = CliOutput.displayWidth

/** The text cut to a width, with an ellipsis. */
export const cutTo = (text: string, width: number): string => {
  if (widthOf(text) <= width) return text
  let cut = ""
  for (const character of text) {
    if (widthOf(cut + character) > width - 1) break
    cut += character
  }
  return `${cut}…`
}

const padded = (text: string, width: number, align: "right" | undefined): string => {
  const space = " ".repeat(Math.max(0, width - widthOf(text)))
  return align === "right" ? space + text : text + space
}

interface Laid<A> {
  readonly column: Column<A>
  readonly cells: ReadonlyArray<string>
  readonly width: number
}

const total = <A>(laid: ReadonlyArray<Laid<A>>): number =>
  laid.reduce((sum, { width }) => sum + width, 0) + gap * Math.max(0, laid.length - 1)

const least = <A>(laid: ReadonlyArray<Laid<A>>): number =>
  total(laid.map((one) => one.column.cut === true ? { ...one, width: Math.min(one.width, narrowest) } : one))

/** Takes what is too much from the widest flexible column, one step after another. */
const shrink = <A>(laid: ReadonlyArray<Laid<A>>, width: number): ReadonlyArray<Laid<A>> => {
  let result = laid
  for (let over = total(result) - width; over > 0; over = total(result) - width) {
    const flexible = result.filter(({ column, width }) => column.cut === true && width > narrowest)
    if (flexible.length === 0) return result
    const widest = flexible.reduce((a, b) => b.width > a.width ? b : a)
    const second = Math.max(narrowest, ...flexible.filter((one) => one !== widest).map((one) => one.width))
    const by = Math.min(over, Math.max(1, widest.width - second), widest.width - narrowest)
    result = result.map((one) => one === widest ? { ...one, width: one.width - by } : one)
  }
  return result
}

/** The lines of a table. Without a width nothing is cut or left out. */
export const table = <A>(
  rows: ReadonlyArray<A>,
  columns: ReadonlyArray<Column<A>>,
  options: { readonly width: number | undefined; readonly style: Style }
): ReadonlyArray<string> => {
  const { style, width } = options
  let laid: ReadonlyArray<Laid<A>> = columns.map((column) => {
    const cells = rows.map(column.cell)
    return { column, cells, width: Math.max(widthOf(column.title), ...cells.map(widthOf)) }
  })
  if (width !== undefined) {
    while (least(laid) > width) {
      const out = laid.reduce<Laid<A> | undefined>(
        (found, one) => (one.column.rank ?? 0) > (found?.column.rank ?? 0) ? one : found,
        undefined
      )
      if (out === undefined) break
      laid = laid.filter((one) => one !== out)
    }
    laid = shrink(laid, width)
  }
  const line = (texts: ReadonlyArray<string>) => texts.join(" ".repeat(gap)).trimEnd()
  const header = line(laid.map(({ column, width }) => style.head(padded(column.title, width, column.align))))
  return [
    header,
    ...rows.map((row, i) =>
      line(laid.map(({ cells, column, width }) => {
        const text = padded(column.cut === true ? cutTo(cells[i]!, width) : cells[i]!, width, column.align)
        return column.paint === undefined ? text : column.paint(row, text, style)
      }))
    )
  ]
}

/** Names and values, one pair a line, the values below each other. */
export const pairs = (
  values: ReadonlyArray<readonly [name: string, value: string]>,
  style: Style
): ReadonlyArray<string> => {
  const width = Math.max(0, ...values.map(([name]) => widthOf(name)))
  return values.map(([name, value]) => `${style.head(padded(name, width, undefined))}  ${value}`)
}
