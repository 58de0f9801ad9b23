/**
 * How clients find their server, where that takes more than an address: Sentinel, or a `Connector` of the user's own.
 *
 * What ioredis does by default and why it is not done here (each was seen to happen):
 * - A connector that is told to stop while it asks goes on asking, for as long as a silent Sentinel lets it.
 * - One silent Sentinel may use up the whole time of an attempt, and the next attempt begins with it again.
 * - Each attempt goes on in the list where the one before stopped, and reports all Sentinels as unreachable at its end.
 */
import { Redis as Client, type RedisOptions, type SentinelAddress, SentinelConnector, SentinelIterator } from "ioredis"
import { failureOfMessage } from "../redis/failure.ts"
import { destroy } from "./connection.ts"
import { connectorCode, describe, type Described, sentinelCode } from "./error.ts"
import type { Resolved } from "./options.ts"
import { type Address, addressOf, makeOrder, type Order } from "./sentinelOrder.ts"
import { later, patiently } from "./timer.ts"

type ConnectorClass = NonNullable<RedisOptions["Connector"]>
type Stream = Client["stream"]
type Emit = (type: string, error: Error) => void

/** ioredis's connectors without what its types keep to subclasses: an expression of a class cannot name that. */
interface Connector {
  connecting: boolean
  connect(emit: Emit): Promise<Stream>
  disconnect(): void
}

type Class<A> = new(options: unknown) => A

export interface Servers {
  /** Options of a client; before each attempt to connect it waits for as many milliseconds as `pause` says. */
  readonly options: (pause?: () => number) => Pick<RedisOptions, "Connector" | "sentinelRetryStrategy">
  /** The server that was found takes no writes: another Sentinel may know better. */
  readonly doubt: () => void
}

class ConnectorError extends Error {
  readonly code: string
  constructor(message: string, code: string) {
    super(message)
    this.code = code
  }
}

/** A client that exists has it among its options as if it had been given. */
const defaultStrategy = Client["defaultOptions"].sentinelRetryStrategy

const closed = () => new Error("Connection is closed.")

/** What a connector of the user's own fails with is trouble of the connection, whatever it says. */
const ownFailure = (cause: unknown): unknown => {
  const { code, message } = describe(cause)
  return failureOfMessage(message, code) === "Other" ? new ConnectorError(message, connectorCode) : cause
}

/** A connector whose attempt ends at once when it is told to stop, whatever it is waiting for. */
const stoppable = (Base: Class<Connector>, pause: () => number): ConnectorClass => {
  class Stoppable extends Base {
    #stop: (() => void) | undefined

    override connect(emit: Emit): Promise<Stream> {
      return new Promise((resolve, reject) => {
        let stopped = false
        let timer: NodeJS.Timeout | undefined
        this.#stop = () => {
          stopped = true
          clearTimeout(timer)
          reject(closed())
        }
        const begin = (): void => {
          // A connector of the user's own may throw.
          new Promise<Stream>((resolve) => resolve(super.connect(emit))).then((stream) => {
            if (!stopped) return resolve(stream)
            stream.on("error", () => {})
            stream.destroy()
          }, (cause: unknown) => reject(ownFailure(cause)))
        }
        const millis = pause()
        if (millis > 0) timer = later(millis, begin)
        else begin()
      })
    }

    override disconnect(): void {
      super.disconnect()
      this.#stop?.()
    }
  }
  // SAFETY: all that the constructor of a connector of ioredis makes is inherited.
  return Stoppable as unknown as ConnectorClass
}

/** What of ioredis's connector is private to its types, and used here. */
interface Asking extends Connector {
  connecting: boolean
  sentinelIterator: SentinelIterator
  resolve(endpoint: Address): Promise<Address | null>
  connectToSentinel(endpoint: Address, options?: RedisOptions): Client
}

// SAFETY: the members are those of ioredis 6.0; test/sentinel.test.ts fails when they change.
const AskingConnector = SentinelConnector as unknown as Class<Asking>

/** Begins anew for each attempt, and tells of Sentinels that others named. */
class Iterator extends SentinelIterator {
  readonly #order: Order
  constructor(order: Order) {
    super(order.list())
    this.#order = order
  }
  override add(sentinel: SentinelAddress): boolean {
    this.#order.add(sentinel)
    return super.add(sentinel)
  }
}

/** Asks the Sentinels in their order, each for a share of `within` milliseconds. */
const sentinelConnector = (order: Order, name: string, within: number): Class<Connector> =>
  class extends AskingConnector {
    #asked: Client | undefined
    #cause: unknown
    #answered: Address | undefined
    readonly #failures = new Map<string, Described>()

    override connect(emit: Emit): Promise<Stream> {
      this.sentinelIterator = new Iterator(order)
      this.#failures.clear()
      this.#answered = undefined
      // A round that failed is told once, by the error of the attempt.
      const withoutRounds: Emit = (type, error) => type === "error" ? undefined : emit(type, error)
      return super.connect(withoutRounds).then(
        (stream) => {
          const source = this.#answered
          stream.once("close", () => {
            // The server is gone, or frozen: this Sentinel does not know it yet.
            if (stream.bytesRead === 0 && source !== undefined) order.doubt(source)
          })
          return stream
        },
        (cause: unknown) => {
          throw this.connecting && this.#failures.size > 0 ? this.#failure() : cause
        }
      )
    }

    override disconnect(): void {
      super.disconnect()
      if (this.#asked !== undefined) destroy(this.#asked)
    }

    override async resolve(endpoint: Address): Promise<Address | null> {
      const limit = Math.max(1, Math.floor(within / (order.size() + 1)))
      this.#cause = undefined
      let cancel = (): void => {}
      try {
        const asking = super.resolve(endpoint)
        const asked = this.#asked
        const found = await Promise.race([
          asking,
          new Promise<never>((_, reject) => {
            cancel = patiently(limit, () => {
              reject(new ConnectorError(`no answer within ${limit} ms`, "ETIMEDOUT"))
              if (asked !== undefined) destroy(asked)
            })
          })
        ])
        if (found === null) {
          this.#refused(endpoint, new Error("it does not know that name"))
        } else {
          this.#answered = endpoint
          order.answered(endpoint)
        }
        return found
      } catch (cause) {
        const reason = this.#cause ?? cause
        // Told to stop: that says nothing about the Sentinel.
        if (this.connecting) this.#refused(endpoint, reason)
        throw reason
      } finally {
        cancel()
        this.#asked = undefined
      }
    }

    override connectToSentinel(endpoint: Address, options?: RedisOptions): Client {
      const client = super.connectToSentinel(endpoint, { connectTimeout: within, ...options })
      // With options it is listened to for failovers, and comes back by itself. Without, it is asked once.
      const asked = options === undefined
      client.on("error", (cause) => {
        // Later ones are mere consequences ("Connection is closed.").
        if (asked) this.#cause ??= cause
      })
      if (asked) this.#asked = client
      return client
    }

    #refused(endpoint: Address, cause: unknown): void {
      this.#failures.set(addressOf(endpoint), describe(cause))
      order.failed(endpoint)
    }

    #failure(): Error {
      const reasons = Array.from(this.#failures, ([address, { message }]) => `${address}: ${message}`)
      const codes = Array.from(this.#failures.values(), ({ code }) => code)
      const mute = codes.every((code) => code !== undefined && failureOfMessage("", code) === "Connection")
      return new ConnectorError(
        `no Sentinel tells the address of "${name}" (${reasons.join("; ")})`,
        mute ? codes.at(-1)! : sentinelCode
      )
    }
  }

/** One for all connections of a layer: what one learns about the Sentinels the others need not learn again. */
export const makeServers = ({ client, connectTimeout }: Resolved): Servers => {
  const { Connector, name, sentinelRetryStrategy, sentinels } = client
  const none = () => 0
  const once = () => null
  if (Connector !== undefined) {
    // SAFETY: see `Connector`.
    const Base = Connector as unknown as Class<Connector>
    return { options: (pause = none) => ({ Connector: stoppable(Base, pause) }), doubt: () => {} }
  }
  // An empty list is refused by ioredis, with the words for it.
  if (!sentinels?.length) return { options: () => ({}), doubt: () => {} }
  const order = makeOrder(sentinels)
  const Base = sentinelConnector(order, name ?? "", connectTimeout)
  return {
    options: (pause = none) => ({
      Connector: stoppable(Base, pause),
      // A round for each attempt, and a pause of ours between attempts: ioredis's default asks in a loop without an end.
      sentinelRetryStrategy: sentinelRetryStrategy === defaultStrategy ? once : sentinelRetryStrategy ?? once
    }),
    doubt: order.doubt
  }
}
