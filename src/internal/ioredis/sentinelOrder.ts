/** The order in which Sentinels are asked: first the one that answered last, and at the end those that failed. */
import type { SentinelAddress } from "ioredis"

export type Address = Partial<SentinelAddress>

export const addressOf = ({ host, port }: Address): string => `${host ?? "127.0.0.1"}:${port ?? 26379}`

export interface Order {
  readonly list: () => Array<Address>
  readonly size: () => number
  readonly answered: (address: Address) => void
  readonly failed: (address: Address) => void
  /** The answer of this Sentinel (default: the one that answered last) did not lead to a working server. */
  readonly doubt: (address?: Address) => void
  /** Adds a Sentinel that another one named. It is dropped when it fails, so that changing addresses cannot pile up. */
  readonly add: (address: Address) => void
}

export const makeOrder = (given: ReadonlyArray<Address>): Order => {
  const lasting = new Set(given.map(addressOf))
  const failing = new Set<string>()
  let known: ReadonlyArray<Address> = [...given]

  const without = (address: Address) => {
    const id = addressOf(address)
    return known.filter((other) => addressOf(other) !== id)
  }

  return {
    list: () => [...known],
    size: () => known.length,
    answered: (address) => {
      failing.delete(addressOf(address))
      known = [address, ...without(address)]
    },
    failed: (address) => {
      const id = addressOf(address)
      known = without(address)
      if (!lasting.has(id)) return
      known = [...known, address]
      failing.add(id)
    },
    doubt: (address = known[0]) => {
      if (address === undefined) return
      const others = without(address)
      const good = others.filter((other) => !failing.has(addressOf(other)))
      known = [...good, address, ...others.filter((other) => failing.has(addressOf(other)))]
    },
    add: (address) => {
      if (known.some((other) => addressOf(other) === addressOf(address))) return
      known = [...known, address]
    }
  }
}
