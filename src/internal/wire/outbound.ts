/**
 * An answer for a key in another slot: it cannot be written in the same step as the acknowledgement of its action. It goes
 * to the stream `outbound` of the service that answers, in that step, and is forwarded from there. Its address takes the
 * place of the trace context.
 */
import type { PushTarget } from "./answerTarget.ts"

/** Where an answer in the outbound stream goes. */
export type Address = Pick<PushTarget, "kind" | "key" | "timeToLive" | "atLeast" | "traceparent">

/**
 * Sends answers for other slots through the outbound stream. `isElsewhere` is `undefined` for a single server, where nothing
 * is rerouted. `onRerouted` is called for each answer.
 */
export const rerouteFor = (
  isElsewhere: ((key: string) => boolean) | undefined,
  outbound: string,
  onRerouted: () => void
): ((push: PushTarget) => PushTarget) | undefined =>
  isElsewhere === undefined ? undefined : (push) => {
    if (!isElsewhere(push.key)) return push
    onRerouted()
    return outboundOf(outbound, push)
  }

/** The same answer as an entry of the outbound stream. */
const outboundOf = (
  outbound: string,
  { atLeast, key, kind, payload, timeToLive, traceparent }: PushTarget
): PushTarget => ({
  kind: "stream",
  key: outbound,
  payload,
  timeToLive: 0,
  traceparent: JSON.stringify([kind, key, timeToLive, atLeast === true, traceparent ?? ""])
})

/** `undefined` if the text was not written by {@link outboundOf}. */
export const addressIn = (text: string): Address | undefined => {
  try {
    const parts: unknown = JSON.parse(text)
    if (!Array.isArray(parts)) return undefined
    const [kind, key, timeToLive, atLeast, traceparent]: ReadonlyArray<unknown> = parts
    if ((kind !== "list" && kind !== "stream") || typeof key !== "string" || typeof timeToLive !== "number") {
      return undefined
    }
    return {
      kind,
      key,
      timeToLive,
      atLeast: atLeast === true,
      traceparent: typeof traceparent === "string" && traceparent !== "" ? traceparent : undefined
    }
  } catch {
    return undefined
  }
}
