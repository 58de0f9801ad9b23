/**
 * The message that every system carries: 600 bytes of JSON, by number, so that each can be seen to be handled once.
 */

export const actionType = "user.create"
export const size = 600

export interface Payload {
  readonly sequence: number
  readonly email: string
  readonly name: string
  readonly plan: "free" | "team"
  readonly tags: ReadonlyArray<string>
  readonly note: string
}

const filler = "x".repeat(size)

export const payloadOf = (sequence: number, note: number): Payload => ({
  sequence,
  email: `user${sequence}@example.com`,
  name: `User ${sequence}`,
  plan: sequence % 2 === 0 ? "free" : "team",
  tags: ["new", "eu-central"],
  note: filler.slice(0, note)
})

const noteOfPayload = size - JSON.stringify(payloadOf(100_000, 0)).length

/** A payload of 600 bytes, for systems whose message is the payload. */
export const message = (sequence: number): Payload => payloadOf(sequence, noteOfPayload)

/** Where an answer is expected, and by which id. */
export interface Answer {
  readonly list: string
  readonly correlationId: string
}

const envelope = (sequence: number, note: number, answer?: Answer) => ({
  action_id: idOf(sequence),
  action_type: actionType,
  timestamp: "2026-11-24T10:00:00.123456Z",
  tenant_id: null,
  session_id: null,
  task_id: null,
  agent_id: null,
  user_id: null,
  origin_service: "web",
  correlation_id: answer?.correlationId ?? null,
  trace_id: null,
  callback_queue_name: answer?.list ?? null,
  callback_action_type: null,
  execution_config: null,
  query_config: null,
  rag_config: null,
  data: payloadOf(sequence, note),
  metadata: null
})

/** A UUID by number: making random ones would be measured too. */
export const idOf = (sequence: number): string => `00000000-0000-4000-8000-${String(sequence).padStart(12, "0")}`

/** The note that makes an envelope, or a payload sent in one, 600 bytes long. */
export const noteOfEnvelope = size - JSON.stringify(envelope(100_000, 0)).length

/** An action of 600 bytes, as it lies in a stream. */
export const actionText = (sequence: number, answer?: Answer): string =>
  JSON.stringify(envelope(sequence, noteOfEnvelope, answer))
