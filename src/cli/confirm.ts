/** Asks before something is destroyed. Without a terminal there is no answer, so `--yes` is needed. */
import * as Prompt from "effect/cli/Prompt"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Effect from "effect/Effect"
import { invalid, notDone } from "./failure.ts"
import { Json } from "./globals.ts"

export const confirm = Effect.fnUntraced(function*(question: string, yes: boolean) {
  if (yes) return
  const { canPrompt } = yield* TerminalCapabilities.TerminalCapabilities
  const json = yield* Json
  if (!canPrompt || json) {
    return yield* invalid(
      `${question} There is no terminal to confirm it: pass --yes to do it, or --dry-run to see what it does`
    )
  }
  const confirmed = yield* Prompt.run(Prompt.Confirm({ message: question, initial: false }))
  if (!confirmed) return yield* notDone("Nothing was done")
})
