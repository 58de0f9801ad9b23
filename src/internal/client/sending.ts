/** What all calls have in common that append actions. */
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { SendOptions } from "../../ActionClient.ts"
import * as ActionContext from "../../ActionContext.ts"
import * as ActionId from "../../ActionId.ts"
import type { QueueNaming } from "../../QueueNaming.ts"
import type { Receipt } from "../../Receipt.ts"
import type { Redis, RedisError } from "../../Redis.ts"
import type { InvalidOption } from "../base/invalidOption.ts"
import { uuid } from "../base/uuid.ts"
import type { Writing } from "./append.ts"
import type { EncodeError, LaneFull, NotSupported } from "./errors.ts"
import type { LaneOf } from "./laneOf.ts"
import type { Later } from "./later.ts"
import type { Streams, Target } from "./streams.ts"

export type SendFailure = EncodeError | InvalidOption | LaneFull | NotSupported | RedisError

export interface SendingOptions {
  readonly redis: Redis["Service"]
  readonly naming: QueueNaming["Service"]
  readonly streams: Streams
  readonly writing: Writing
  readonly later: Later
  readonly lanes: LaneOf
  /** The maximum number of actions that one call appends. */
  readonly chunkSize: number
}

/** The context of a call: that of the caller's fiber, overridden by the options of the call. */
export const contextFor = (
  fiber: Fiber.Fiber<unknown, unknown>,
  { context: over }: Pick<SendOptions, "context">
): ActionContext.ActionContext => {
  const context = fiber.getRef(ActionContext.ActionContext)
  return over === undefined ? context : ActionContext.merge(context, over)
}

/** The id of an action: the caller's own as a UUID, or a new one. */
export const actionIdOf = (actionType: string, own: string | undefined): Exit.Exit<string, InvalidOption> => {
  if (own === undefined) return Exit.succeed(uuid())
  const id = ActionId.from(actionType, own)
  return id._tag === "Success" ? Exit.succeed(id.success) : Exit.fail(id.failure)
}

export const sent = ({ service, stream }: Target, actionId: string, entryId: string): Receipt => ({
  _tag: "Sent",
  actionId,
  service,
  stream,
  entryId
})
