/**
 * Errors whose message says all: the lines of a stack below it lead into this library, where there is nothing to correct.
 */

/** Leaves of the stack the first line, name and message, which is what loggers print. */
export const withoutStack = <E extends Error>(error: E): E =>
  Object.defineProperty(error, "stack", {
    value: `${error.name}: ${error.message}`,
    configurable: true,
    enumerable: false,
    writable: true
  })
