/**
 * Hints that a worker logs at its start about a server, a stream or names that look wrong, one line each. No hint
 * prevents the start.
 */
import * as Effect from "effect/Effect"
import * as neighbours from "../redis/neighbours.ts"
import { warnOfUnread } from "./callbackLists.ts"
import * as environmentCheck from "./environmentCheck.ts"
import type { Host } from "./host.ts"
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
const serviceName: Hint = ({ naming, names, routes }) =>
  Effect.ignoreCause(Effect.suspend(() => {
    const targets = Array.from(routes.keys(), (type) => [type, naming.targetService(type)] as const)
    const [first] = targets
    if (first === undefined || targets.some(([, target]) => target === names.service)) return Effect.void
    return Effect.logInfo(
      `Clients send none of the types of this worker to ${names.service}, but ${first[0]} to ${
        first[1]
      }: is SERVICE_NAME right?`
    )
  }))

/** Logged before the first read. */
export const hints: ReadonlyArray<Hint> = [server, streamIds, twice, environment, serviceName]

/** Logged while the worker reads, since these checks take a few seconds. */
export const laterHints: ReadonlyArray<Hint> = [warnOfUnread]
