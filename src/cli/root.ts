/** The tree of all commands. */
import * as Command from "effect/cli/Command"
import { acl } from "./commands/acl.ts"
import { dashboard } from "./commands/dashboard.ts"
import { dead } from "./commands/dead.ts"
import { schedules } from "./commands/schedules.ts"
import { request, send } from "./commands/send.ts"
import { tail } from "./commands/tail.ts"
import { globals } from "./globals.ts"

export const root = Command.make("redis-workers").pipe(
  Command.withDescription("Look at the services of effect-redis-workers and steer them"),
  Command.withSubcommands([dead, schedules, send, request, tail, acl, dashboard]),
  Command.withGlobalFlags(globals)
)
