/** The inputs of a handler: its delivery, and the context of its fiber. */
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import * as ActionContext from "../../ActionContext.ts"
import type { Delivery } from "../../Delivery.ts"
import type { DomainAction } from "../../DomainAction.ts"
import { Deadline } from "../base/deadline.ts"
import { Slot } from "../base/slot.ts"
import { scheduledForKey } from "../schedules/firing.ts"
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
  get fence(): string {
    const [millis = "", sequence = ""] = this.entryId.split("-")
    return `${millis.padStart(16, "0")}-${sequence.padStart(12, "0")}-${String(this.deliveries).padStart(8, "0")}`
  }
  /** Read only when it is asked for. */
  get scheduledFor(): DateTime.Utc | undefined {
    const slot = this.action.metadata?.[scheduledForKey]
    if (typeof slot !== "string") return undefined
    const time = Option.getOrUndefined(DateTime.make(slot))
    return time && DateTime.toUtc(time)
  }
}

/** Annotations of a handler's log lines. A class instead of a literal, see `entry.ts`. */
class LogAnnotations {
  readonly [key: string]: unknown
  readonly service: string
  readonly action_id: string
  readonly action_type: string
  readonly attempt: number
  readonly correlation_id: string | null
  readonly trace_id: string | null
  constructor(service: string, action: DomainAction, attempt: number) {
    this.service = service
    this.action_id = action.action_id
    this.action_type = action.action_type
    this.attempt = attempt
    this.correlation_id = action.correlation_id
    this.trace_id = action.trace_id
  }
}

/** The run that owns a fiber. */
interface Owner extends Slot {
  /** When the run is interrupted, in monotonic milliseconds. */
  readonly limit: number
  readonly span: Tracer.Span | undefined
}

export type Fork = <A, E>(owner: Owner, subject: Start["subject"], effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>

/** Forks what a handler does, and what encodes its result. `context` is without scope and parent span. */
export const makeFork = (context: Context.Context<never>, service: string): Fork => {
  /** What the contexts of all runs have in common, flat: what a run adds to it costs 0.03 µs each. */
  const shared = Context.merge(context, Context.make(ActionContext.ActionContext, ActionContext.empty))
  const annotations = Context.get(shared, References.CurrentLogAnnotations)
  const isPlain = Object.keys(annotations).length === 0

  return (owner, { action, attempt }, effect) => {
    const own = new LogAnnotations(service, action, attempt)
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
