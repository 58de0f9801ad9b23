/**
 * How clients find their server when an address is not enough: through Sentinel, or a `Connector` that the user gave.
 *
 * Three defaults of ioredis are replaced, because each one was seen to cause an outage or a wrong log line:
 * - A connector that is told to stop keeps waiting for the Sentinel it has asked.
 * - One silent Sentinel can use up the whole time of an attempt, and the next attempt asks the same Sentinel first.
 * - An attempt continues in the list where the previous one stopped. At the end of the list it reports all Sentinels as
 *   unreachable, although every one of them answered.
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
  /** Options of a client. It waits `pause` milliseconds before each attempt to connect. */
  readonly options: (pause?: () => number) => Pick<RedisOptions, "Connector" | "sentinelRetryStrategy">
  /** The server that was found takes no writes, so another Sentinel is asked next. */
  readonly doubt: () => void
}

class ConnectorError extends Error {
  readonly code: string
  constructor(message: string, code: string) {
    super(message)
    this.code = code
  }
}

/** An existing client has it among its options, as if the user had given it. */
const defaultStrategy = Client["defaultOptions"].sentinelRetryStrategy

const closed = () => new Error("Connection is closed.")

/** The failure of a user's connector counts as a connection failure, whatever its message says. */
const ownFailure = (cause: unknown): unknown => {
  const { code, message } = describe(cause)
  return failureOfMessage(message, code) === "Other" ? new ConnectorError(message, connectorCode) : cause
}

/** A connector whose attempt fails at once when `disconnect` is called, whatever it is waiting for. */
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
          // A user's connector may throw.
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

/** The private members of ioredis's connector that are used here. */
interface Asking extends Connector {
  connecting: boolean
  sentinelIterator: SentinelIterator
  resolve(endpoint: Address): Promise<Address | null>
  connectToSentinel(endpoint: Address, options?: RedisOptions): Client
}

// SAFETY: the members are those of ioredis 6.0; test/sentinel.test.ts fails when they change.
const AskingConnector = SentinelConnector as unknown as Class<Asking>

/** The Sentinels of one attempt. Those that a Sentinel names are added to the shared order as well. */
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
      // The error of the attempt already reports each round.
      const withoutRounds: Emit = (type, error) => type === "error" ? undefined : emit(type, error)
      return super.connect(withoutRounds).then(
        (stream) => {
          const source = this.#answered
          stream.once("close", () => {
            // The server said nothing, so this Sentinel does not know yet that it is gone or frozen.
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
          this.#refused(endpoint, new Error("knows no master of that name"))
        } else {
          this.#answered = endpoint
          order.answered(endpoint)
        }
        return found
      } catch (cause) {
        const reason = this.#cause ?? cause
        // After `disconnect` the failure says nothing about the Sentinel.
        if (this.connecting) this.#refused(endpoint, reason)
        throw reason
      } finally {
        cancel()
        this.#asked = undefined
      }
    }

    override connectToSentinel(endpoint: Address, options?: RedisOptions): Client {
      const client = super.connectToSentinel(endpoint, { connectTimeout: within, ...options })
      // ioredis passes options for the clients that listen for failovers, and none for a single question.
      const asked = options === undefined
      client.on("error", (cause) => {
        // Later errors only follow from the first ("Connection is closed.").
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
        `no Sentinel gave the address of "${name}" (${reasons.join("; ")})`,
        mute ? codes.at(-1)! : sentinelCode
      )
    }
  }

/** All connections of a layer share one, so that a silent Sentinel costs its share of time once. */
export const makeServers = ({ client, connectTimeout }: Resolved): Servers => {
  const { Connector, name, sentinelRetryStrategy, sentinels } = client
  const none = () => 0
  const once = () => null
  if (Connector !== undefined) {
    // SAFETY: see `Connector`.
    const Base = Connector as unknown as Class<Connector>
    return { options: (pause = none) => ({ Connector: stoppable(Base, pause) }), doubt: () => {} }
  }
  // ioredis refuses an empty list itself.
  if (!sentinels?.length) return { options: () => ({}), doubt: () => {} }
  const order = makeOrder(sentinels)
  const Base = sentinelConnector(order, name ?? "", connectTimeout)
  return {
    options: (pause = none) => ({
      Connector: stoppable(Base, pause),
      // One round for each attempt, and our own pause between attempts. ioredis's default loops without end.
      sentinelRetryStrategy: sentinelRetryStrategy === defaultStrategy ? once : sentinelRetryStrategy ?? once
    }),
    doubt: order.doubt
  }
}
