/** What was logged, kept for the test instead of written to the console. */
import type * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import { inspect } from "node:util"

export interface LogLine {
  readonly level: string
  readonly text: string
  readonly annotations: Readonly<Record<string, unknown>>
}

const textOf = (message: unknown): string => [message].flat().map(String).join(" ")

/** Everything that a line, an error or a value shows, the deepest way there is. */
export const shown = (value: unknown): string => inspect(value, { depth: Infinity, showHidden: true }) + String(value)

const lineOf = ({ fiber, logLevel, message }: Logger.Options<unknown>): LogLine => ({
  level: logLevel,
  text: textOf(message),
  annotations: { ...fiber.getRef(References.CurrentLogAnnotations) }
})

/** Keeps lines with their levels and annotations. */
export const collecting = (lines: Array<LogLine>): Layer.Layer<never> =>
  Logger.layer([Logger.make<unknown, void>((options) => void lines.push(lineOf(options)))])

/** Keeps lines as texts. */
export const recording = (
  lines: Array<string>,
  show: (line: LogLine) => string = ({ text }) => text
): Layer.Layer<never> => Logger.layer([Logger.make<unknown, void>((options) => void lines.push(show(lineOf(options))))])

/** Keeps everything that a line and its cause show, to look for what must not be there. */
export const recordingAll = (lines: Array<string>): Layer.Layer<never> =>
  Logger.layer([Logger.make<unknown, void>(({ cause, message }) => void lines.push(shown({ cause, message })))])
