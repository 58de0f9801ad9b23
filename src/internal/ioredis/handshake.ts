/**
 * What happens before a client is ready: credentials are asked for anew at each attempt to connect, ioredis's warnings go to
 * the program's logger, and the words with which a server hangs up are heard.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import { type AbstractConnector, Redis as Client } from "ioredis"
import { Socket } from "node:net"
import { TLSSocket } from "node:tls"
import { failureOfMessage } from "../redis/failure.ts"
import { describe, PasswordError } from "./error.ts"

export interface Credentials {
  readonly username: string | undefined
  readonly password: string | undefined
}

/** What the clients of one layer have in common. */
export interface Handshake {
  /** Asks for the credentials of one attempt. Returns what gives it up. Absent where they never change. */
  readonly ask: ((onAnswer: (answer: Credentials | PasswordError) => void) => () => void) | undefined
  /** A password that is refused may be followed by one that is not. */
  readonly patient: () => boolean
  readonly warn: (message: string) => void
}

/** The tag or the name of a failure, if it looks like one. */
const nameOf = (failure: unknown): string => {
  const named = typeof failure === "object" && failure !== null ? failure : {}
  const name = "_tag" in named ? named._tag : "name" in named ? named.name : undefined
  return typeof name === "string" && /^[\w.:/-]{1,80}$/.test(name) ? name : "an unnamed error"
}

const noPassword = (why: string): PasswordError =>
  new PasswordError({ message: `the effect that gives the password ${why}` })

/** Credentials with a password that an effect gives. */
export const askedFor = (
  username: string | undefined,
  password: Effect.Effect<Redacted.Redacted<string>, unknown>
): Effect.Effect<Credentials, PasswordError> =>
  Effect.matchCauseEffect(password, {
    onFailure: (cause) => Effect.fail(noPassword(`failed with ${nameOf(Cause.squash(cause))}`)),
    onSuccess: (given: unknown) => {
      const value = Redacted.isRedacted(given) ? Redacted.value(given) : undefined
      return typeof value === "string"
        ? Effect.succeed({ username, password: value })
        : Effect.fail(noPassword("gave no Redacted text"))
    }
  })

/** The handshake of a layer: effects run with its services, loggers among them. */
export const makeHandshake = <R>(
  context: Context.Context<R>,
  options: {
    readonly credentials: Effect.Effect<Credentials, PasswordError> | undefined
    /** Milliseconds that asking may take. */
    readonly within: number
    readonly patient: () => boolean
  }
): Handshake => {
  const run = Effect.runForkWith(context)
  const { credentials, patient, within } = options
  const warned = new Set<string>()
  return {
    patient,
    warn: (message) => {
      // Each connection would say it again.
      if (warned.has(message)) return
      warned.add(message)
      run(Effect.logWarning(message))
    },
    ask: credentials && ((onAnswer) => {
      const fiber = run(credentials)
      // The time of the network, as every limit of an attempt, and none of a test's clock.
      const timer = setTimeout(() => {
        onAnswer(noPassword(`took longer than ${Math.round(within)} ms`))
        fiber.interruptUnsafe()
      }, within)
      fiber.addObserver((exit) => {
        clearTimeout(timer)
        if (Exit.isSuccess(exit)) return onAnswer(exit.value)
        const failure = Cause.squash(exit.cause)
        onAnswer(failure instanceof PasswordError ? failure : noPassword("was interrupted"))
      })
      return () => {
        clearTimeout(timer)
        fiber.interruptUnsafe()
      }
    })
  }
}

type Emit = Parameters<AbstractConnector["connect"]>[0]

/** A connection that never was. ioredis takes it for one that broke, and tries again where it may. */
const broken = () => new Socket().destroy()

/**
 * Credentials are asked for before there is a socket, so that no time passes between the answer and its use.
 *
 * The connector is where ioredis waits: what it took from its options at the beginning of the attempt is replaced. It is
 * never left rejected, which ioredis would not repair.
 */
const askBeforeEach = (client: Client, ask: NonNullable<Handshake["ask"]>): void => {
  const connector = client["connector"]
  const connect = connector.connect.bind(connector)
  const disconnect = connector.disconnect.bind(connector)
  let giveUp = () => {}
  connector.disconnect = () => {
    giveUp()
    disconnect()
  }
  connector.connect = (emit: Emit) => {
    let abandoned = false
    delete connector.firstError
    return new Promise<Credentials | PasswordError | undefined>((resolve) => {
      const cancel = ask(resolve)
      giveUp = () => {
        abandoned = true
        cancel()
        resolve(undefined)
      }
    }).then((answer) => {
      giveUp = () => {}
      if (abandoned || answer === undefined) return broken()
      if (answer instanceof PasswordError) {
        connector.firstError = answer
        return broken()
      }
      const { password, username } = answer
      if (client.condition !== null) {
        // ioredis takes an empty text for no password as well.
        client.condition.auth = username && password ? [username, password] : password ?? ""
      }
      return connect(emit)
    })
  }
}

/**
 * The commands of a handshake leave in one write. A server that hangs up at once would have the second one fail, and the
 * socket would be gone before the server's words are read.
 */
const corkEach = (client: Client): void => {
  const connector = client["connector"]
  const connect = connector.connect.bind(connector)
  connector.connect = (emit: Emit) =>
    connect(emit).then((stream: Client["stream"]) => {
      // Before ioredis listens to the same event.
      stream.once(stream instanceof TLSSocket ? "secureConnect" : "connect", () => {
        stream.cork()
        process.nextTick(() => stream.uncork())
      })
      return stream
    })
}

/** A command of ioredis as its handshake calls it. */
type Method = (...args: ReadonlyArray<unknown>) => Promise<unknown>

const methodOf = (client: Client, name: "auth" | "select"): Method =>
  // SAFETY: each form of both takes texts and gives a promise.
  client[name].bind(client) as Method

const whiteSpaceHint = "(the password that was sent begins or ends with white space)"

const endsWithWhiteSpace = (auth: unknown): boolean => {
  const password: unknown = Array.isArray(auth) ? auth.at(-1) : auth
  return typeof password === "string" && password !== password.trim()
}

/** The AUTH of a handshake: ioredis would write to the console about some of its failures. */
const judgeAuth = (client: Client, who: string, handshake: Handshake): void => {
  const judge = (cause: unknown): string => {
    const { message } = describe(cause)
    if (/no password is set|without any password configured for the default user/.test(message)) {
      handshake.warn(`${who} requires no password, but one was given`)
      return "OK"
    }
    if (failureOfMessage(message) !== "NotAuthenticated") throw cause
    const told = endsWithWhiteSpace(client.condition?.auth) ? `${message} ${whiteSpaceHint}` : message
    // The same refusal, in words that do not end a worker: the next attempt has another password.
    throw new Error(handshake.patient() ? `The password was refused: ${told}` : told)
  }
  const auth = methodOf(client, "auth")
  Object.defineProperty(client, "auth", {
    configurable: true,
    value: (...args: ReadonlyArray<unknown>) => {
      const reply = auth(...args)
      return client.status === "connect" ? reply.catch(judge) : reply
    }
  })
}

/** The SELECT of a handshake. ioredis only reports that it failed, and goes on in database 0. */
const insistOnSelect = (client: Client): void => {
  const select = methodOf(client, "select")
  Object.defineProperty(client, "select", {
    configurable: true,
    value: (...args: ReadonlyArray<unknown>) => {
      const reply = select(...args)
      if (client.status !== "connect") return reply
      return reply.catch((cause: unknown) => {
        // After an AUTH that was refused it is a consequence, and the cause is reported already.
        if (!client.condition?.auth || failureOfMessage(describe(cause).message) !== "NotAuthenticated") {
          client.emit("error", cause)
        }
        client.stream.destroy()
        // The handshake ends with the connection, and never well.
        return new Promise<never>(() => {})
      })
    }
  })
}

/**
 * The clients that ask Sentinels are ioredis's own. They write to the console likewise, and of their failures ioredis reports
 * no more than that the connection is closed.
 */
const judgeSentinels = (client: Client, handshake: Handshake): void => {
  const connector: object = client["connector"]
  const make = "connectToSentinel" in connector ? connector.connectToSentinel : undefined
  if (typeof make !== "function") return
  Object.defineProperty(connector, "connectToSentinel", {
    configurable: true,
    value: (...args: ReadonlyArray<unknown>): unknown => {
      const made: unknown = Reflect.apply(make, connector, args)
      // A Sentinel's password is given once and does not change.
      if (made instanceof Client) {
        judgeAuth(made, "A Sentinel", { ...handshake, patient: () => false })
        made.on("error", (cause) => {
          const { host, port } = made.options
          const why = `failed to connect to sentinel ${host}:${port} because ${describe(cause).message}`
          client.emit("sentinelError", new Error(why))
        })
      }
      return made
    }
  })
}

/** What a client does at each attempt to connect. */
export const prepare = (client: Client, handshake: Handshake | undefined): void => {
  corkEach(client)
  insistOnSelect(client)
  if (handshake === undefined) return
  judgeAuth(client, "The Redis server", handshake)
  judgeSentinels(client, handshake)
  if (handshake.ask !== undefined) askBeforeEach(client, handshake.ask)
}

/** A server that takes no connection says why, unasked, and hangs up: it is full, or in protected mode. */
const farewell = /^-((?:ERR max number of clients|DENIED )[^\r\n]*)/

/**
 * Reports the errors of a client. ioredis takes the words of a server that hangs up for the reply to the first command of
 * its handshake, whose failure it does not report, and what remains is a connection that was closed.
 */
export const listen = (client: Client, onError: (cause: unknown) => void): void => {
  let words: Error | undefined
  client.on("connect", () => {
    words = undefined
    client.stream.once("data", (chunk: Buffer) => {
      const said = farewell.exec(chunk.toString("latin1", 0, 500))?.[1]
      if (said !== undefined) words = new Error(said)
    })
  })
  client.on("error", (cause) => {
    const { code, message } = describe(cause)
    onError(words !== undefined && failureOfMessage(message, code) === "Connection" ? words : cause)
  })
  client.on("close", () => {
    if (words !== undefined) onError(words)
    words = undefined
  })
}
