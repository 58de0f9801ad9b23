/** Runs the command line of this process and ends it with a status. Only the bin loads it. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as Command from "effect/cli/Command"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Predicate from "effect/Predicate"
import * as References from "effect/References"
import * as Stdio from "effect/Stdio"
import { appearance } from "./appearance.ts"
import { endingOf } from "./failure.ts"
import { root } from "./root.ts"
import { json, safe } from "./text.ts"

const interrupted = 130

/** Log lines of the library go to the standard error output, so that the result stays alone. */
const LoggerLayer = Layer.merge(
  Logger.layer([
    Logger.withConsoleError(Logger.make(({ logLevel, message }) => {
      const text = (Array.isArray(message) ? message : [message]).map(String).join(" ")
      return `${logLevel}: ${safe(text)}`
    }))
  ]),
  Layer.succeed(References.MinimumLogLevel, "Warn")
)

const platform = Layer.mergeAll(
  TerminalCapabilities.layer.pipe(Layer.provideMerge(NodeServices.layer)),
  LoggerLayer,
  appearance
)

const report = Effect.fnUntraced(function*(error: unknown) {
  // Effect has printed what is wrong with the command line, with the help of the command.
  if (Predicate.isTagged(error, "ShowHelp")) {
    return Predicate.hasProperty(error, "errors") && Array.isArray(error.errors) && error.errors.length > 0 ? 2 : 0
  }
  const { message, status, tag } = endingOf(error)
  const { args } = yield* Stdio.Stdio
  const asJson = (yield* args).includes("--json")
  yield* Console.error(asJson ? json({ error: { tag, message, status } }) : safe(message).replaceAll("\\n", "\n"))
  return status
})

const program = (version: string) =>
  Command.run(root, { version }).pipe(
    Effect.as(0),
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.succeed(interrupted) : report(Cause.squash(cause))
    ),
    Effect.provide(platform)
  )

/** Runs the command line. */
export const run = (version: string): void =>
  NodeRuntime.runMain(program(version), {
    disableErrorReporting: true,
    teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) ? Number(exit.value) : interrupted)
  })
