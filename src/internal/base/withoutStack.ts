/**
 * Errors whose message says all: the lines of a stack below it lead into this library, where there is nothing to correct.
 */

const withLines = <E extends Error>(error: E, lines: ReadonlyArray<string>): E =>
  Object.defineProperty(error, "stack", {
    value: [`${error.name}: ${error.message}`, ...lines].join("\n"),
    configurable: true,
    enumerable: false,
    writable: true
  })

/** Leaves of the stack the first line, name and message, which is what loggers print. */
export const withoutStack = <E extends Error>(error: E): E => withLines(error, [])

/** Leaves of the stack the lines of the program, without those of the packages that it uses and of the runtime. */
export const withOwnStack = <E extends Error>(error: E): E =>
  withLines(
    error,
    (error.stack ?? "").split("\n").filter((line) =>
      /^ +at /.test(line) && !/[\\/]node_modules[\\/]|\bnode:/.test(line)
    )
  )
