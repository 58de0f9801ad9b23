/**
 * Hints that a worker logs at its start about a server, a stream or names that look wrong, one line each. No hint
 * prevents the start.
 */
import * as Effect from "effect/Effect"
import * as neighbours from "../redis/neighbours.ts"
import { warnOfUnread } from "./callbackLists.ts"
import * as environmentCheck from "./environmentCheck.ts"
import type { Host } from "./host.ts"
import { listed } from "./reading.ts"
import * as serverChecks from "./serverChecks.ts"

/** The facts found during the start. */
export interface Found {
  readonly newestId: string
  /** Types that another worker of this process handles too. */
  readonly shared: ReadonlyArray<string>
}

type Hint = (host: Host, found: Found) => Effect.Effect<void>

const server: Hint = ({ redis }) => serverChecks.check(redis)

const streamIds: Hint = ({ sawId }, { newestId }) => sawId(newestId)

const twice: Hint = ({ names }, { shared }) => {
  const warning = neighbours.warningOf(names.stream, shared)
  return warning === undefined ? Effect.void : Effect.logWarning(warning)
}

const environment: Hint = ({ names, redis }) => environmentCheck.check(redis, names)

/** A custom naming may throw for a type that is never sent. */
const serviceName: Hint = (host) =>
  Effect.ignoreCause(Effect.suspend(() => {
    const { naming, names, routes } = host
    const targets = Array.from(routes.keys(), (type) => [type, naming.targetService(type)] as const)
    if (targets.length === 0 || targets.some(([, target]) => target === names.service)) return Effect.void
    const services = [...new Set(targets.map(([, target]) => JSON.stringify(target)))].sort()
    return Effect.annotateLogs(
      Effect.logWarning(
        `This worker will receive nothing: its types (${listed(targets.map(([type]) => type))}) belong to ` +
          `${services.length === 1 ? "service" : "services"} ${listed(services)}, ` +
          `but ${host.serviceFrom} is ${JSON.stringify(names.service)}`
      ),
      { service: names.service }
    )
  }))

/** Logged before the first read. */
export const hints: ReadonlyArray<Hint> = [server, streamIds, twice, environment, serviceName]

/** Logged while the worker reads, since these checks take a few seconds. */
export const laterHints: ReadonlyArray<Hint> = [warnOfUnread]
