/** Where a command writes: JSON for scripts, or text for people, in colors and to a width if it is a terminal. */
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stdio from "effect/Stdio"
import * as Terminal from "effect/Terminal"
import { Json } from "./globals.ts"
import * as Styles from "./style.ts"
import { type Column, table } from "./table.ts"
import { json } from "./text.ts"

export interface Screen {
  readonly json: boolean
  /** `undefined` if the output is not a terminal. */
  readonly width: number | undefined
  readonly style: Styles.Style
  readonly canAnimate: boolean
  readonly table: <A>(rows: ReadonlyArray<A>, columns: ReadonlyArray<Column<A>>) => ReadonlyArray<string>
}

/** Reads what the output is. */
export const screen = Effect.gen(function*() {
  const asJson = yield* Json
  const { canAnimate, canColor } = yield* TerminalCapabilities.TerminalCapabilities
  const isTerminal = yield* (yield* Stdio.Stdio).stdoutIsTerminal
  const columns = yield* (yield* Terminal.Terminal).columns
  const style = canColor ? Styles.colors : Styles.none
  const width = isTerminal ? Math.max(40, columns) : undefined
  const made: Screen = {
    json: asJson,
    width,
    style,
    canAnimate,
    table: (rows, columns) => table(rows, columns, { width, style })
  }
  return made
})

/** Prints a value as JSON, or the lines that say the same for people. */
export const show = <A>(
  value: A,
  lines: (value: A, screen: Screen) => ReadonlyArray<string>
) =>
  Effect.flatMap(
    screen,
    (screen) => Console.log(screen.json ? json(value) : lines(value, screen).join("\n"))
  )

/** A line for people beside the result, on the standard error output; nothing with `--json`. */
export const note = (line: string) =>
  Effect.flatMap(screen, (screen) => screen.json ? Effect.void : Console.error(screen.style.dim(line)))
