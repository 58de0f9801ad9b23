/**
 * Workers of this process that read the same stream of the same server.
 *
 * A layer that is provided twice is built twice, and two workers run where one was meant. Layers with one address are one
 * server, since the mistake often builds the Redis layer twice as well. A layer without an address is a server of its own.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Redis } from "../../Redis.ts"

interface Neighbour {
  readonly stream: string
  readonly types: ReadonlySet<string>
}

const addresses = new WeakMap<Redis["Service"], string>()
const byAddress = new Map<string, Set<Neighbour>>()
const byService = new WeakMap<Redis["Service"], Set<Neighbour>>()

/** Where a layer's server is, without credentials. */
export const register = (redis: Redis["Service"], address: string): void => {
  addresses.set(redis, address)
}

const streetOf = (redis: Redis["Service"]): Set<Neighbour> => {
  const address = addresses.get(redis)
  const known = address === undefined ? byService.get(redis) : byAddress.get(address)
  if (known !== undefined) return known
  const made = new Set<Neighbour>()
  if (address === undefined) byService.set(redis, made)
  else byAddress.set(address, made)
  return made
}

export interface Place {
  /** Types that another worker handles already, in order. */
  readonly shared: ReadonlyArray<string>
  /** This worker takes no more actions. */
  readonly leave: () => void
}

/** Notes a worker until it leaves, or its scope ends. */
export const join = (
  redis: Redis["Service"],
  stream: string,
  types: Iterable<string>
): Effect.Effect<Place, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const street = streetOf(redis)
      const own: Neighbour = { stream, types: new Set(types) }
      const others = [...street].filter((other) => other.stream === stream)
      street.add(own)
      return {
        shared: [...own.types].filter((type) => others.some((other) => other.types.has(type))).sort(),
        leave: () => {
          street.delete(own)
        }
      }
    }),
    (place) => Effect.sync(place.leave)
  )

/** Types named in a warning. */
const named = 3

/** What to say of types that another worker of this process handles as well; `undefined` for none. */
export const warningOf = (stream: string, shared: ReadonlyArray<string>): string | undefined => {
  if (shared.length === 0) return undefined
  const rest = shared.length - named
  const types = shared.slice(0, named).join(", ") + (rest > 0 ? ` and ${rest} more` : "")
  return `Another worker in this process already handles ${types} from ${stream}, and each action goes to only one of ` +
    "them. Build the worker's layer once (a layer that is provided twice is built twice). To read faster in one process, " +
    "raise the options concurrency or consumers instead"
}
