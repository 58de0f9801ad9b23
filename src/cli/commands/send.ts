/** `send` and `request`: an action from the command line, checked by its contract if there is one. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import * as Action from "../../Action.ts"
import * as ActionClient from "../../ActionClient.ts"
import { validationDetail } from "../../internal/contract/validationDetail.ts"
import * as Receipt from "../../Receipt.ts"
import { connection } from "../connect.ts"
import { contracts } from "../contracts.ts"
import { invalid } from "../failure.ts"
import * as Flags from "../flags.ts"
import { Service } from "../globals.ts"
import { show } from "../screen.ts"
import { pairs } from "../table.ts"
import { safe, safeJson, text, time } from "../text.ts"

const type = Argument.String("type").pipe(Argument.withDescription("The type of the action, such as payment.charge"))

const data = Argument.String("payload").pipe(
  Argument.withDescription("The payload as JSON, or - for the standard input. Default: {}"),
  Argument.withDefault("{}")
)

const id = Flags.optionalText("id", "text", "The id of the action: a UUID, or any text, which becomes one")

const isType = (text: string): text is `${string}.${string}` => /^[^.\s]+\.\S+$/.test(text)

const input = Stdio.Stdio.use(({ stdin }) => Stream.mkString(Stream.decodeText(stdin)))

/** An object of JSON. No part of the text is in the error. */
const parse = Effect.fnUntraced(function*(text: string) {
  const source = text === "-" ? yield* input : text
  const parsed = yield* Effect.try(() => JSON.parse(source) as unknown).pipe(
    Effect.catch(() => invalid(`The payload is not JSON: expected an object, such as '{"cents":100}'`))
  )
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    return yield* invalid("The payload is JSON, but not an object: expected for example '{\"cents\":100}'")
  }
  return parsed
})

const AnyObject = Schema.Record(Schema.String, Schema.Unknown)

/** The contract of a type, and the payload as it accepts it. */
const prepare = Effect.fnUntraced(function*(type: string, text: string) {
  if (!isType(type)) {
    return yield* invalid(`"${type}" is not an action type: expected service.name, such as payment.charge`)
  }
  const encoded = yield* parse(text)
  const group = yield* contracts
  if (group === undefined) {
    const action: Action.Any = Action.make(type, { payload: AnyObject, success: Schema.Unknown })
    return { action, payload: encoded }
  }
  const action = group.actions.get(type)
  if (action === undefined) {
    const known = [...group.actions.keys()].sort().join(", ")
    return yield* invalid(`The contracts have no action "${type}". They have: ${known}`)
  }
  // SAFETY: a contract from a file needs no services that this tool could give, and says so when it runs.
  const decoding = Action.decodePayload(action, encoded) as Effect.Effect<unknown, Schema.SchemaError>
  const payload = yield* Effect.catch(
    decoding,
    (error) => invalid(`The contract of ${type} refuses the payload: ${validationDetail(error).message}`)
  )
  return { action, payload }
})

const clientLayer = ActionClient.layer.pipe(Layer.provideMerge(connection))

const target = Effect.map(Service, Option.getOrUndefined)

export const send = Command.make("send", {
  type,
  data,
  id,
  delay: Flags.duration("delay", "How long from now it is due"),
  at: Flags.moment("at", "When it is due").pipe(Flag.optional),
  expiresIn: Flags.duration("expires-in", "It is dropped if it has not started after this time"),
  dryRun: Flags.dryRun
}, ({ at, data, delay, dryRun, expiresIn, id, type }) =>
  Effect.gen(function*() {
    const { action, payload } = yield* prepare(type, data)
    const options = {
      ...Flags.given({ actionId: id, delay, at, expiresIn, service: yield* Service }),
      metadata: {}
    }
    if (dryRun) {
      return yield* show({ dryRun: true, type, receipt: null, actionId: null }, () => [
        `${safe(type)} would be sent. Nothing was sent.`
      ])
    }
    const client = yield* ActionClient.ActionClient
    // SAFETY: see `prepare`.
    const receipt = yield* client.send(action, payload, options) as Effect.Effect<Receipt.Receipt>
    const receiptText = Receipt.toText(receipt)
    yield* show(
      { dryRun: false, type, receipt: receiptText, actionId: receipt.actionId, state: receipt._tag.toLowerCase() },
      (_, { style }) =>
        pairs([
          ["state", receipt._tag === "Scheduled" ? `scheduled, due ${time(receipt.at)}` : receipt._tag.toLowerCase()],
          ["action id", text(receipt.actionId)],
          ["receipt", text(receiptText)]
        ], style)
    )
  }).pipe(Effect.provide(clientLayer))).pipe(
    Command.withDescription("Send an action and print its receipt"),
    Command.withExamples([
      { command: "redis-workers send payment.charge '{\"cents\":100}'", description: "Send an action" },
      {
        command: "redis-workers send mail.remind --delay 10m --id \"order 1042\" - < payload.json",
        description: "Send it for later, with an id of your own and the payload of a file"
      }
    ])
  )

export const request = Command.make("request", {
  type,
  data,
  timeout: Flags.duration("timeout", "How long to wait for the answer. Default: REQUEST_TIMEOUT, otherwise 30s"),
  dryRun: Flags.dryRun
}, ({ data, dryRun, timeout, type }) =>
  Effect.gen(function*() {
    const { action, payload } = yield* prepare(type, data)
    if (dryRun) {
      return yield* show({ dryRun: true, type, answer: null }, () => [
        `${safe(type)} would be requested. Nothing was sent.`
      ])
    }
    const client = yield* ActionClient.ActionClient
    const service = yield* target
    const options = { ...Flags.given({ timeout }), ...(service === undefined ? {} : { service }) }
    // SAFETY: see `prepare`.
    const answer = yield* (client.request(action, payload, options) as Effect.Effect<unknown, object>)
    // SAFETY: see `prepare`.
    const encode = Schema.encodeUnknownEffect(Schema.toCodecJson(action.successSchema))
    const encoded = yield* encode(answer) as Effect.Effect<unknown>
    yield* show({ dryRun: false, type, answer: encoded }, () => [safeJson(JSON.stringify(encoded, null, 2))])
  }).pipe(Effect.provide(clientLayer))).pipe(
    Command.withDescription("Send an action, wait for its answer and print it. An error as the answer is status 1"),
    Command.withExamples([
      { command: "redis-workers request user.find '{\"id\":7}' --timeout 5s", description: "Ask, and wait 5 seconds" }
    ])
  )
