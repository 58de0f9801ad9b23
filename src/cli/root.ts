/** The tree of all commands. */
import * as Command from "effect/cli/Command"
import { acl } from "./commands/acl.ts"
import { dashboard } from "./commands/dashboard.ts"
import { dead } from "./commands/dead.ts"
import { doctor } from "./commands/doctor.ts"
import { lanes } from "./commands/lanes.ts"
import { consumers, list, services, show } from "./commands/look.ts"
import { bury, reschedule, retryNow } from "./commands/one.ts"
import { schedules } from "./commands/schedules.ts"
import { request, send } from "./commands/send.ts"
import { stats } from "./commands/stats.ts"
import { cancel, pause, purge, resume } from "./commands/steer.ts"
import { tail } from "./commands/tail.ts"
import { globals } from "./globals.ts"

export const root = Command.make("redis-workers").pipe(
  Command.withDescription("Look at the services of effect-redis-workers and steer them"),
  Command.withSubcommands([
    doctor,
    stats,
    services,
    consumers,
    list,
    show,
    dead,
    purge,
    cancel,
    retryNow,
    reschedule,
    bury,
    pause,
    resume,
    schedules,
    lanes,
    send,
    request,
    tail,
    acl,
    dashboard
  ]),
  Command.withGlobalFlags(globals)
)
