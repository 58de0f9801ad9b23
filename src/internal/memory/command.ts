/**
 * What a command is here, and what it may use.
 */
import type { ReplyError } from "./replyError.ts"
import type { Scripts } from "./scripting.ts"
import type { Status } from "./status.ts"
import type { Store } from "./store.ts"

/** A reply in its RESP2 shape. Strings are bytes, see `bytes.ts`. */
export type Reply = string | number | null | Status | ReadonlyArray<Reply>

/** What a client ends up with: a reply, or an error. */
export type Result = Reply | Error

/** A command that has nothing to reply yet. */
export interface Wait {
  readonly _tag: "Wait"
  readonly keys: ReadonlyArray<string>
  readonly kind: "list" | "stream"
  /** How long, in milliseconds; 0 is for ever. */
  readonly timeout: number
  /** Tried when one of the keys may have something; `undefined` when this is not enough. */
  readonly serve: (key: string) => Reply | ReplyError | undefined
  /** The reply for the case that the stream under the key is gone, when that ends the wait. */
  readonly onGone?: (() => ReplyError) | undefined
}

export const isWait = (outcome: Reply | Wait): outcome is Wait =>
  typeof outcome === "object" && outcome !== null && "_tag" in outcome

/** A connection, as the server knows it. */
export interface Client {
  id: number
  name: string
  closed: boolean
}

/** The access that commands about the server itself have to it. */
export interface Host {
  readonly clients: () => ReadonlyArray<Client>
  readonly kill: (client: Client) => void
  /** Ends a blocked command with a nil reply or an error; `false` when the client is not blocked. */
  readonly unblock: (client: Client, error: ReplyError | undefined) => boolean
  readonly isBlocked: (client: Client) => boolean
  readonly publish: (channel: string, message: string) => number
  readonly config: Map<string, string>
  readonly startedAt: number
}

export interface Context {
  readonly store: Store
  readonly scripts: Scripts
  readonly host: Host
  readonly client: Client
  /** Microseconds within the current millisecond are only in here. */
  readonly nanos: () => bigint
  /** Set while a script runs: nothing may block. */
  readonly inScript: boolean
  /** Runs another command within this one, as scripts do. */
  readonly run: (context: Context, argv: ReadonlyArray<string>) => Reply
}

/** `argv[0]` is the command's own name, as the client wrote it. */
export type Handler = (context: Context, argv: ReadonlyArray<string>) => Reply | Wait

export type Handlers = Readonly<Record<string, Handler>>
