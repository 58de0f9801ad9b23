/** The inspector of a command, and the action that a command is about. */
import * as Argument from "effect/cli/Argument"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as ActionId from "../ActionId.ts"
import * as Inspector from "../Inspector.ts"
import { isId } from "../internal/wire/fields.ts"
import * as Receipt from "../Receipt.ts"
import { connection, service } from "./connect.ts"
import { contracts } from "./contracts.ts"
import { invalid } from "./failure.ts"
import * as Flags from "./flags.ts"

/** With the contracts of the command line. An unknown service is looked for, so that near names can be suggested. */
export const inspector = Layer.unwrap(Effect.gen(function*() {
  const group = yield* contracts
  // SAFETY: contracts of a file need no services that this tool could give.
  return Inspector.layerOptions({ scan: true, contracts: group }) as typeof Inspector.layer
})).pipe(Layer.provideMerge(connection))

export const target = Argument.String("action").pipe(
  Argument.withDescription("A receipt, an entry id, an action id, or with --type the text that the id was made of")
)

export const targetType = Flags.optionalText("type", "type", "The type of the action, for an id that is not a UUID")

/** The action that an argument means. */
export const targetOf = Effect.fnUntraced(function*(text: string, type: Option.Option<string>) {
  if (text.includes("/")) return yield* Effect.fromResult(Receipt.parse(text))
  const name = yield* service
  if (/^\d{1,20}-\d{1,20}$/.test(text)) return { service: name, entryId: text }
  if (isId(text)) return { service: name, actionId: text.toLowerCase() }
  if (Option.isSome(type)) {
    return { service: name, actionId: yield* Effect.fromResult(ActionId.from(type.value, text)) }
  }
  return yield* invalid("Which action? Give a receipt, an entry id or a UUID, or add --type to a text of your own")
})
