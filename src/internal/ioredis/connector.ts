/**
 * Finds the server of a client through Sentinel, or through a custom `Connector`, when an address is not enough.
 *
 * Three defaults of ioredis are replaced, because each one was seen to cause an outage or a wrong log line:
 * - A connector that is told to stop keeps waiting for the Sentinel it has asked.
 * - One silent Sentinel can use up the whole time of an attempt, and the next attempt asks the same Sentinel first.
 * - An attempt continues in the list where the previous one stopped. At the end of the list it reports all Sentinels as
 *   unreachable, although every one of them answered.
 */
import { Redis as Client, type RedisOptions, type SentinelAddress, SentinelConnector, SentinelIterator } from "ioredis"
import { failureOfMessage } from "../redis/failure.ts"
import type { Emit, Explaining, Stream } from "./attempt.ts"
import { AttemptError, describe } from "./error.ts"
import { type Handshake, judgeAuth } from "./handshake.ts"
import type { Resolved } from "./options.ts"
import { type Address, addressOf, makeOrder, type Order } from "./sentinelOrder.ts"
import type { StartFailure } from "./startError.ts"
import { patiently } from "./timer.ts"
import { destroy } from "./watchdog.ts"

type ConnectorClass = NonNullable<RedisOptions["Connector"]>

/** ioredis's connectors without the protected members of their types, which a class expression cannot name. */
interface Connector {
  connecting: boolean
  connect(emit: Emit): Promise<Stream>
  disconnect(): void
}

type Class<A> = new(options: unknown) => A

export interface Servers {
  /** The options of every client. */
  readonly options: Pick<RedisOptions, "Connector" | "sentinelRetryStrategy">
  /** The server found refuses writes, so another Sentinel is asked next. */
  readonly doubt: () => void
}

/** The failure of a custom connector counts as a connection failure, whatever its message says. */
const ownFailure = (cause: unknown): unknown => {
  const { code, message } = describe(cause)
  return failureOfMessage(message, code) === "Other"
    ? new AttemptError({ reason: "Other", detail: message, advice: "the message comes from your `Connector`" })
    : cause
}

const ownConnector = (Base: Class<Connector>): Class<Connector> =>
  class extends Base {
    override async connect(emit: Emit): Promise<Stream> {
      try {
        return await super.connect(emit)
      } catch (cause) {
        throw ownFailure(cause)
      }
    }
  }

/** An existing client has it among its options, as if the user had set it. */
const defaultStrategy = Client["defaultOptions"].sentinelRetryStrategy

/** The private members of ioredis's connector that are used here. */
interface Asking extends Connector {
  sentinelIterator: SentinelIterator
  resolve(endpoint: Address): Promise<Address | null>
  connectToSentinel(endpoint: Address, options?: RedisOptions): Client
}

// SAFETY: the members are those of ioredis 6.0; test/sentinel.test.ts fails when they change.
const AskingConnector = SentinelConnector as unknown as Class<Asking>

/** The Sentinels of one attempt. Sentinels that they report are added to the shared order as well. */
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

/** Why a Sentinel did not give the address. */
type Refusal = "unknown" | "refused" | "unreachable" | "other"

interface Failure {
  readonly kind: Refusal
  readonly message: string
}

const refusalOf = (cause: unknown): Failure => {
  const { code, message } = describe(cause)
  switch (failureOfMessage(message, code)) {
    case "NotAuthenticated":
    case "NoPermission":
      return { kind: "refused", message }
    case "Connection":
      return { kind: "unreachable", message }
    default:
      return { kind: "other", message }
  }
}

/** The verdict on the failures of all Sentinels, by the first kind that one of them has. */
const verdicts: ReadonlyArray<readonly [Refusal, Omit<StartFailure, "detail">]> = [
  ["unknown", {
    reason: "UnknownMaster",
    advice: "check that ioredis.name is the name in `sentinel monitor <name>`, and that these are the right Sentinels"
  }],
  ["refused", {
    reason: "WrongPassword",
    advice: "check sentinelUsername and sentinelPassword, which are not those of the server"
  }],
  ["other", { reason: "Other", advice: "check that ioredis.sentinels has the addresses of Sentinels" }],
  ["unreachable", { reason: "Refused", advice: "check the hosts and ports of the Sentinels, and the firewall" }]
]

/** Asks the Sentinels in order, each for a share of the attempt's time. */
const sentinelConnector = (
  order: Order,
  { client, connectTimeout }: Resolved,
  warn: Handshake["warn"]
): Class<Connector & Explaining> =>
  class extends AskingConnector implements Explaining {
    #asked: Client | undefined
    #cause: unknown
    #answered: Address | undefined
    readonly #failures = new Map<string, Failure>()

    override async connect(emit: Emit): Promise<Stream> {
      this.sentinelIterator = new Iterator(order)
      this.#failures.clear()
      this.#answered = undefined
      // The error of the attempt already reports each round.
      const withoutRounds: Emit = (type, error) => type === "error" ? undefined : emit(type, error)
      try {
        const stream = await super.connect(withoutRounds)
        const source = this.#answered
        stream.once("close", () => {
          // The server sent nothing, so this Sentinel does not know yet that it is down or frozen.
          if (stream.bytesRead === 0 && source !== undefined) order.doubt(source)
        })
        return stream
      } catch (cause) {
        throw (this.connecting ? this.explain() : undefined) ?? cause
      }
    }

    override disconnect(): void {
      super.disconnect()
      if (this.#asked !== undefined) destroy(this.#asked)
    }

    override async resolve(endpoint: Address): Promise<Address | null> {
      const limit = Math.max(1, Math.floor(connectTimeout / (order.size() + 1)))
      this.#cause = undefined
      let cancel = (): void => {}
      try {
        const asking = super.resolve(endpoint)
        const asked = this.#asked
        const found = await Promise.race([
          asking,
          new Promise<never>((_, reject) => {
            cancel = patiently(limit, () => {
              reject(Object.assign(new Error(`no answer within ${limit} ms`), { code: "ETIMEDOUT" }))
              if (asked !== undefined) destroy(asked)
            })
          })
        ])
        if (found === null) {
          this.#failed(endpoint, { kind: "unknown", message: "knows no master of that name" })
        } else {
          this.#answered = endpoint
          order.answered(endpoint)
        }
        return found
      } catch (cause) {
        const reason = this.#cause ?? cause
        // After `disconnect` the failure says nothing about the Sentinel.
        if (this.connecting) this.#failed(endpoint, refusalOf(reason))
        throw reason
      } finally {
        cancel()
        this.#asked = undefined
      }
    }

    override connectToSentinel(endpoint: Address, options?: RedisOptions): Client {
      const made = super.connectToSentinel(endpoint, { connectTimeout, ...options })
      // A Sentinel's password is given once and does not change.
      judgeAuth(made, "A Sentinel", { warn, patient: () => false })
      // ioredis passes options for the clients that listen for failovers, and none for a single question.
      const asked = options === undefined
      made.on("error", (cause) => {
        // Later errors only follow from the first ("Connection is closed.").
        if (asked) this.#cause ??= cause
      })
      if (asked) this.#asked = made
      return made
    }

    #failed(endpoint: Address, failure: Failure): void {
      this.#failures.set(addressOf(endpoint), failure)
      order.failed(endpoint)
    }

    readonly explain = (): AttemptError | undefined => {
      const failures = Array.from(this.#failures)
      const verdict = verdicts.find(([kind]) => failures.some(([, failure]) => failure.kind === kind))?.[1]
      const reasons = failures.map(([address, { message }]) => `${address}: ${message}`).join("; ")
      return verdict && new AttemptError({
        ...verdict,
        detail: `no Sentinel gave the address of "${client.name ?? ""}" (${reasons})`
      })
    }
  }

/** All connections of a layer share one, so that a silent Sentinel costs its share of the time once. */
export const makeServers = (resolved: Resolved, warn: Handshake["warn"]): Servers => {
  const { Connector, sentinelRetryStrategy, sentinels } = resolved.client
  if (Connector !== undefined) {
    // SAFETY: see `Connector`.
    return {
      options: { Connector: ownConnector(Connector as unknown as Class<Connector>) as unknown as ConnectorClass },
      doubt: () => {}
    }
  }
  if (!sentinels?.length) return { options: {}, doubt: () => {} }
  const order = makeOrder(sentinels)
  // One round for each attempt, and our own pause between attempts. ioredis's default loops without end.
  const once = () => null
  return {
    options: {
      // SAFETY: see `Connector`.
      Connector: sentinelConnector(order, resolved, warn) as unknown as ConnectorClass,
      sentinelRetryStrategy: sentinelRetryStrategy === defaultStrategy ? once : sentinelRetryStrategy ?? once
    },
    doubt: order.doubt
  }
}
