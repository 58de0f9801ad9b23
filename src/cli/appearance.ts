/** Help and errors of the command line, and the script of a shell. */
import * as CliConfig from "effect/cli/CliConfig"
import * as CliOutput from "effect/cli/CliOutput"
import * as Completions from "effect/cli/Completions"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"

const shells = GlobalFlag.Action<Option.Option<Completions.Shell>>({
  flag: Flag.ChoiceWithValue("completions", [["bash", "bash"], ["zsh", "zsh"], ["fish", "fish"]] as const).pipe(
    Flag.withMetavar("shell"),
    Flag.withDescription("Print completions"),
    Flag.optional
  ),
  run: Effect.fnUntraced(function*(shell, { command }) {
    if (Option.isNone(shell)) return
    yield* Console.log(Completions.generate(command.name, shell.value, Completions.fromCommand(command)))
  })
})

const builtIns = CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, shells] })

/** A wrong command line gets its error and where the help is, not the whole help. */
const presenter = CliOutput.layerPresenter({
  present: Effect.fnUntraced(function*(event) {
    if (event._tag !== "InvalidInvocation") return yield* CliOutput.defaultPresenter.present(event)
    for (const { message } of event.errors) yield* Console.error(message)
    yield* Console.error(`See ${event.commandPath.join(" ")} --help`)
  })
})

export const appearance = Layer.merge(builtIns, presenter)
