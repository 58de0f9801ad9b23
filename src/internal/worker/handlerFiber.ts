/** The inputs of a handler: its delivery, and the context of its fiber. */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import * as ActionContext from "../../ActionContext.ts"
import type { Delivery } from "../../Delivery.ts"
import type { DomainAction } from "../../DomainAction.ts"
import { Deadline } from "../base/deadline.ts"
import { Slot } from "../base/slot.ts"
import type { Entry } from "../wire/entry.ts"
import type { Start } from "./dispatch.ts"

/** The delivery that a handler gets. */
export class Delivered implements Delivery {
  readonly action: DomainAction
  readonly entryId: string
  readonly attempt: number
  readonly deliveries: number
  readonly consumer: string
  readonly remaining: Effect.Effect<Duration.Duration>
  constructor(
    entry: Entry,
    { action, attempt }: Start["subject"],
    consumer: string,
    remaining: Effect.Effect<Duration.Duration>
  ) {
    this.action = action
    this.entryId = entry.id
    this.attempt = attempt
    this.deliveries = entry.deliveries
    this.consumer = consumer
    this.remaining = remaining
  }
}

/** Annotations of a handler's log lines. A class instead of a literal, see `entry.ts`. */
class LogAnnotations {
  readonly [key: string]: unknown
  readonly action_id: string
  readonly action_type: string
  readonly attempt: number
  constructor(action: DomainAction, attempt: number) {
    this.action_id = action.action_id
    this.action_type = action.action_type
    this.attempt = attempt
  }
}

/** The run that owns a fiber. */
interface Owner extends Slot {
  /** When the run is interrupted, in monotonic milliseconds. */
  readonly limit: number
  readonly span: Tracer.Span | undefined
}

export type Fork = <A, E>(owner: Owner, subject: Start["subject"], effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>

/** Forks handlers and the encoding of their results. `context` excludes the scope and the parent span. */
export const makeFork = (context: Context.Context<never>): Fork => {
  /** The common part of the contexts of all runs, flattened: each service that a run adds costs 0.03 µs. */
  const shared = Context.merge(context, Context.make(ActionContext.ActionContext, ActionContext.empty))
  const annotations = Context.get(shared, References.CurrentLogAnnotations)
  const isPlain = Object.keys(annotations).length === 0

  return (owner, { action, attempt }, effect) => {
    const own = new LogAnnotations(action, attempt)
    const all = isPlain ? own : Object.assign({}, annotations, own)
    let context = Context.add(shared, References.CurrentLogAnnotations, all)
    context = Context.add(context, Slot, owner)
    const ids = ActionContext.fromAction(action)
    if (ids !== ActionContext.empty) context = Context.add(context, ActionContext.ActionContext, ids)
    if (owner.limit !== Infinity) context = Context.add(context, Deadline, owner.limit)
    if (owner.span !== undefined) context = Context.add(context, Tracer.ParentSpan, owner.span)
    return Effect.runForkWith(context)(effect)
  }
}
