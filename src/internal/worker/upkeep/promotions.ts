/** What is seen of parked actions that go into the stream: metrics, and log lines about those that are late or over. */
import * as Effect from "effect/Effect"
import * as Metrics from "../../../Metrics.ts"
import { timeText } from "../../base/timeText.ts"
import type { Due } from "../../scripts/take.ts"
import type { Host } from "../host.ts"

/** Workers look each second, so a later action waited for a worker or for the server. In milliseconds. */
const tolerated = 10_000

/** Takes note of each look at what is due. A backlog of late actions is one line, when it has been worked off. */
export const noting = ({ names, telemetry }: Host) => {
  let late = 0
  let latest = 0

  return (due: Due): Effect.Effect<void> => {
    const { over, promoted } = due
    if (promoted > 0) {
      telemetry.count(Metrics.promoted, promoted)
      telemetry.measure(Metrics.promotionDelay, due.late)
    }
    if (over > 0) telemetry.count(Metrics.parkedExpired, over)
    if (promoted > 0 && due.late > tolerated) {
      late += promoted
      latest = Math.max(latest, due.late)
    }
    const lines: Array<Effect.Effect<void>> = []
    if (late > 0 && due.nextOther !== 0) {
      lines.push(Effect.logWarning(
        `${late} parked actions of ${names.service} were up to ${
          timeText(latest)
        } late: no worker of version 0.2 ran, or the server refused them`
      ))
      late = 0
      latest = 0
    }
    if (over > 0) {
      lines.push(
        Effect.logInfo(`Dropped ${over} parked actions of ${names.service}: they expired before they were due`)
      )
    }
    return lines.length === 0 ? Effect.void : Effect.all(lines, { discard: true })
  }
}
