/** A time, in milliseconds since the epoch, as this library writes it: ISO 8601 in UTC with milliseconds and `Z`. */
export const timestampOf = (millis: number): string => {
  if (millis !== lastMillis) {
    lastMillis = millis
    lastTimestamp = new Date(millis).toISOString()
  }
  return lastTimestamp
}

// Thousands of messages can be written in one millisecond, and formatting takes half a microsecond.
let lastMillis = Number.NaN
let lastTimestamp = ""
