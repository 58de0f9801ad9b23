/**
 * Workers of this process that share a server: the streams that they read, and the connections that they hold
 * permanently.
 *
 * A layer that is provided twice is built twice, so two workers run instead of one. Layers with the same address count
 * as one server, since this mistake often builds the Redis layer twice as well. A layer without an address counts as a
 * server of its own.
 *
 * A reader without a free connection in a limited pool would wait forever, and so would a caller that waits for
 * answers. Readers are counted so that the start of a worker can fail instead. For a custom `Redis` layer nothing is
 * known, and nothing fails.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Redis } from "../../Redis.ts"
import { InvalidOption } from "../base/invalidOption.ts"

interface Neighbour {
  readonly stream: string
  readonly types: ReadonlySet<string>
}

/** The known facts about one `Redis` layer. */
interface Known {
  readonly maxConnections: number
  readonly street: Set<Neighbour>
  readers: number
}

const layers = new WeakMap<Redis["Service"], Known>()
const streets = new Map<string, Set<Neighbour>>()

const streetAt = (address: string): Set<Neighbour> => {
  const known = streets.get(address)
  if (known !== undefined) return known
  const made = new Set<Neighbour>()
  streets.set(address, made)
  return made
}

/** Registers the address of a layer's server, without credentials, and the limit of its pool. */
export const register = (
  redis: Redis["Service"],
  layer: { readonly address?: string; readonly maxConnections: number }
): void => {
  const street = layer.address === undefined ? new Set<Neighbour>() : streetAt(layer.address)
  layers.set(redis, { maxConnections: layer.maxConnections, street, readers: 0 })
}

const layerOf = (redis: Redis["Service"]): Known => {
  const known = layers.get(redis)
  if (known !== undefined) return known
  const made: Known = { maxConnections: Number.POSITIVE_INFINITY, street: new Set(), readers: 0 }
  layers.set(redis, made)
  return made
}

/** Counts readers until the scope ends; fails when there are no connections for them and for one who waits for answers. */
export const seat = (redis: Redis["Service"], readers: number): Effect.Effect<void, InvalidOption, Scope.Scope> =>
  Effect.suspend(() => {
    const bound = layerOf(redis)
    const others = bound.readers
    const needed = others + readers + 1
    if (needed > bound.maxConnections) {
      const most = bound.maxConnections - others - 1
      return new InvalidOption({
        option: "consumers",
        found: String(readers),
        expected:
          `${most > 0 ? `at most ${most}` : "more connections"}. Each consumer reads on its own connection and ` +
          `answers need one more, but the pool of the Redis layer has ${bound.maxConnections}` +
          `${others > 0 ? `, of which other workers hold ${others}` : ""}. ` +
          `Set the option pool.maxConnections of the layer to at least ${needed}, or leave it out`
      })
    }
    bound.readers += readers
    return Effect.addFinalizer(() =>
      Effect.sync(() => {
        bound.readers -= readers
      })
    )
  })

export interface Place {
  /** Types that another worker already handles, sorted. */
  readonly shared: ReadonlyArray<string>
  /** Marks that this worker takes no more actions. */
  readonly leave: () => void
}

/** Registers a worker until it leaves, or until its scope ends. */
export const join = (
  redis: Redis["Service"],
  stream: string,
  types: Iterable<string>
): Effect.Effect<Place, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const { street } = layerOf(redis)
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

/** The number of types named in a warning. */
const named = 3

/** The warning about types that another worker of this process handles as well; `undefined` if there are none. */
export const warningOf = (stream: string, shared: ReadonlyArray<string>): string | undefined => {
  if (shared.length === 0) return undefined
  const rest = shared.length - named
  const types = shared.slice(0, named).join(", ") + (rest > 0 ? ` and ${rest} more` : "")
  return `Another worker in this process already handles ${types} from ${stream}, and each action goes to only one of ` +
    "them. Build the layer of the worker once (a layer that is provided twice is built twice). To handle more at once in " +
    "one process, raise the options concurrency or consumers instead"
}
