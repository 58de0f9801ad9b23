/** The slot that a command belongs to. */
import { Command } from "ioredis"
import { slotOf } from "../redis/slot.ts"

const afterStreams = (args: ReadonlyArray<string>): string | undefined => {
  // A group or a consumer may be called "streams": they come before the options.
  for (let index = args[0]?.toUpperCase() === "GROUP" ? 3 : 0; index < args.length; index++) {
    if (args[index]!.toUpperCase() === "STREAMS") return args[index + 1]
  }
  return undefined
}

/** The first key of a command. What is sent all the time is found without ioredis's table. */
const firstKey = (command: string, args: ReadonlyArray<string>): string | undefined => {
  switch (command.toUpperCase()) {
    case "EVALSHA":
    case "EVAL":
      return args[1] === "0" ? undefined : args[2]
    case "XADD":
    case "PEXPIRE":
    case "EXISTS":
      return args[0]
    case "XREAD":
    case "XREADGROUP":
      return afterStreams(args)
    case "BLMPOP":
      return args[2]
    case "XINFO":
    case "XGROUP":
      return args[1]
    default: {
      const key = new Command(command, [...args]).getKeys()[0]
      return key === undefined ? undefined : String(key)
    }
  }
}

/** The slot of a command; `undefined` for a command without a key. */
export const slotOfCommand = (command: string, args: ReadonlyArray<string>): number | undefined => {
  const key = firstKey(command, args)
  return key === undefined ? undefined : slotOf(key)
}
