/**
 * Groups of contracts, and the handlers that implement them.
 *
 * The compiler checks that the handlers of a group are complete. A missing or misspelled handler, wrong types and an
 * undeclared error are reported at the handler's key. The worker requires the services that its handlers require.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import { type Pipeable, pipeArguments } from "effect/Pipeable"
import * as Predicate from "effect/Predicate"
import type { Scope } from "effect/Scope"
import type * as EffectTypes from "effect/Types"
import type * as Action from "./Action.ts"
import type { Delivery } from "./Delivery.ts"
import { type DomainAction, isActionType } from "./DomainAction.ts"
import type { Rejected, RetryLater } from "./HandlerError.ts"
import { type AnyHandler, contractRoute, rawRoute, type Route } from "./internal/contract/route.ts"

const TypeId = "~effect-redis-workers/ActionGroup"

const HandlersTypeId = "~effect-redis-workers/ActionGroup/Handlers"

// -----------------------------------------------------------------------------
// Handlers
// -----------------------------------------------------------------------------

/**
 * The handler of an action. It takes the payload and the delivery, and succeeds or fails with a declared error.
 *
 * @since 0.1.0
 * @category handlers
 */
export type Handler<A extends Action.Any, R = never> = (
  payload: Action.Payload<A>,
  delivery: DeliveryOf<A>
) => Effect.Effect<Action.Success<A>, Action.Error<A> | RetryLater | Rejected, R>

/**
 * The delivery that a handler gets. It includes the decoded configs that the contract has schemas for, under their
 * names in the contract (`delivery.rag`).
 *
 * @since 0.2.0
 * @category handlers
 */
export type DeliveryOf<A extends Action.Any> = [keyof Action.Configs<A>] extends [never] ? Delivery
  : Delivery & Action.Configs<A>

/**
 * A handler without a contract. It takes the envelope and returns a JSON object or nothing.
 *
 * **Details**
 *
 * `Rejected` is sent to the caller as an error response. After any other error, the action is run again.
 *
 * @since 0.1.0
 * @category handlers
 */
export type RawHandler<E = unknown, R = unknown> = (
  action: DomainAction,
  delivery: Delivery
) => Effect.Effect<object | void, E, R>

/**
 * Handlers without a contract, by action type.
 *
 * @since 0.1.0
 * @category handlers
 */
export interface RawHandlers<E = unknown, R = unknown> {
  readonly [type: `${string}.${string}`]: RawHandler<E, R>
}

/**
 * Handlers that a worker can run.
 *
 * **Details**
 *
 * `E` is the error of building them. `R` is the services required to build and run them.
 *
 * @since 0.1.0
 * @category models
 */
export interface Handlers<out E = never, out R = never, out Types extends string = string> extends Pipeable {
  readonly [HandlersTypeId]: { readonly _E: EffectTypes.Covariant<E>; readonly _R: EffectTypes.Covariant<R> }
  /** The action types that the handlers are for. */
  readonly types: ReadonlySet<Types>
  /**
   * Builds the routes, by action type. It runs once, when a worker starts, in the scope of the worker.
   *
   * @internal
   */
  readonly build: Effect.Effect<ReadonlyMap<string, Route>, E, R | Scope>
}

/**
 * Any handlers that a worker can run: {@link Handlers}, or a plain record of handlers without contracts.
 *
 * @since 0.1.0
 * @category utility types
 */
export type AnyHandlers = Handlers<unknown, unknown> | RawHandlers

/**
 * Checks the keys of a plain record of handlers. A key that is not an action type gets a sentence that says so.
 *
 * **Details**
 *
 * Use it in functions that take {@link AnyHandlers}: `<H extends AnyHandlers>(handlers: H & Runnable<H>) => …`.
 *
 * @since 0.1.0
 * @category utility types
 */
export type Runnable<H> = H extends Handlers<unknown, unknown> ? unknown
  : { readonly [K in Exclude<keyof H, `${string}.${string}`>]: `Not an action type: ${K & string}` }

/**
 * The error of building handlers.
 *
 * @since 0.1.0
 * @category utility types
 */
export type BuildError<H> = H extends Handlers<infer E, infer _R, infer _Types> ? E : never

/**
 * The services required to build and run handlers.
 *
 * @since 0.1.0
 * @category utility types
 */
export type Services<H> = H extends Handlers<infer _E, infer R, infer _Types> ? R : HandlersServices<H>

/**
 * The action types that handlers are for.
 *
 * @since 0.1.0
 * @category utility types
 */
export type Types<H> = H extends Handlers<infer _E, infer _R, infer T> ? T : keyof H & string

/**
 * Returns `true` if a value is {@link Handlers}, and `false` for a record of handlers without contracts.
 *
 * @since 0.1.0
 * @category guards
 */
export const isHandlers = (u: unknown): u is Handlers<unknown, unknown> => Predicate.hasProperty(u, HandlersTypeId)

// -----------------------------------------------------------------------------
// Types of groups
// -----------------------------------------------------------------------------

/**
 * The record of handlers that implements a group.
 *
 * @since 0.1.0
 * @category utility types
 */
export type HandlersFrom<A extends Action.Any> = {
  readonly [Current in A as Current["type"]]: Handler<Current, unknown>
}

/**
 * The contract of a group with the given type.
 *
 * @since 0.1.0
 * @category utility types
 */
export type ActionOf<A extends Action.Any, Type extends string> = Extract<A, { readonly type: Type }>

/**
 * The contracts of a group.
 *
 * @since 0.1.0
 * @category utility types
 */
export type Actions<Group> = Group extends ActionGroup<infer A> ? A : never

/**
 * The services that the handlers of a record require, without the scope of a delivery.
 *
 * @since 0.1.0
 * @category utility types
 */
export type HandlersServices<H> = keyof H extends infer K ? K extends keyof H ? HandlerServices<H[K]> : never : never

/**
 * The services that a handler requires, without the scope of a delivery.
 *
 * @since 0.1.0
 * @category utility types
 */
export type HandlerServices<H> = H extends (...args: never) => infer Result ? [Result] extends [never] ? never
  : Result extends Effect.Effect<infer _A, infer _E, infer R> ? Exclude<R, Scope>
  : never
  : never

/**
 * Checks that a record of handlers is complete. A missing key, and a key that is not an action of the group, get a
 * sentence that says so.
 *
 * @since 0.1.0
 * @category utility types
 */
export type Complete<A extends Action.Any, H> =
  & { readonly [K in Exclude<keyof H, A["type"]>]: `No such action in the group: ${K & string}` }
  & { readonly [K in Exclude<A["type"], keyof H>]: `Missing handler: ${K}` }

// No error has this key: for an error that the contract does not declare, the compiler prints it as what is missing. It comes
// first, to be what is printed. The rest makes the compiler compare with this member of the union, and not with one that the
// error happens to resemble.
type Undeclared<Type extends string> =
  & {
    readonly [
      K in Type as `Undeclared error of ${K}: declare it in the contract, or map it to RetryLater or Rejected`
    ]: never
  }
  & Error
  & { readonly _tag: string }

type Candidate<A extends Action.Any> = (
  payload: Action.Payload<A>,
  delivery: DeliveryOf<A>
) => Effect.Effect<Action.Success<A>, Action.Error<A> | RetryLater | Rejected | Undeclared<A["type"]>, unknown>

type Candidates<A extends Action.Any> = { readonly [Current in A as Current["type"]]?: Candidate<Current> }

// A record that is inferred as its constraint has only optional keys: without this an effect would pass for one.
interface NoEffect {
  readonly [Effect.TypeId]?: never
}

// -----------------------------------------------------------------------------
// ActionGroup
// -----------------------------------------------------------------------------

/**
 * A group of contracts.
 *
 * @since 0.1.0
 * @category models
 */
export interface ActionGroup<in out A extends Action.Any> extends Pipeable {
  readonly [TypeId]: typeof TypeId
  /** The contracts, by action type. */
  readonly actions: ReadonlyMap<string, A>

  /**
   * Returns the group with more contracts. Throws a `TypeError` if the group already has a contract of the same type.
   */
  add<const More extends ReadonlyArray<Action.Any>>(...actions: More): ActionGroup<A | More[number]>

  /** Returns the group with the contracts of other groups. Throws a `TypeError` if two contracts have the same type. */
  merge<const Groups extends ReadonlyArray<Any>>(...groups: Groups): ActionGroup<A | Actions<Groups[number]>>

  /** Returns the group without some of its contracts. */
  omit<const Types extends ReadonlyArray<A["type"]>>(
    ...types: Types
  ): ActionGroup<Exclude<A, { readonly type: Types[number] }>>

  /**
   * Implements all actions of the group with a record of handlers, or with an effect that builds one.
   *
   * The effect runs once, when a worker starts, in the scope of the worker.
   */
  handlers<H extends Candidates<A>, EX = never, RX = never>(
    build: (H & Complete<A, H> & NoEffect) | Effect.Effect<H & Complete<A, H>, EX, RX>
  ): Handlers<EX, Exclude<RX, Scope> | HandlersServices<H> | Action.WorkerServices<A>, A["type"]>

  /** The record as it is, its types checked where it is written. */
  of<const H extends Candidates<A>>(handlers: H & Complete<A, H>): H

  /** Implements one action of the group. */
  handler<const Type extends A["type"], H extends Candidate<ActionOf<A, Type>>, EX = never, RX = never>(
    type: Type,
    build: H | Effect.Effect<H, EX, RX>
  ): Handlers<EX, Exclude<RX, Scope> | HandlerServices<H> | Action.WorkerServices<ActionOf<A, Type>>, Type>

  /**
   * Checks that handlers made one by one cover all actions of the group. Combine them with {@link mergeHandlers} first.
   *
   * **Example** (A handler in a module of its own)
   *
   * ```ts
   * import { Effect } from "effect"
   * import { Action, ActionGroup } from "effect-redis-workers"
   *
   * const Users = ActionGroup.make(Action.make("user.ping"), Action.make("user.pong"))
   *
   * const ping = Users.handler("user.ping", () => Effect.void)
   * const pong = Users.handler("user.pong", () => Effect.void)
   *
   * const handlers = Users.complete(ActionGroup.mergeHandlers(ping, pong))
   * ```
   */
  complete<E, R, Types extends string>(
    handlers: Handlers<E, R, Types> & Complete<A, { readonly [K in Types]: unknown }>
  ): Handlers<E, R, A["type"]>
}

/**
 * Any group.
 *
 * @since 0.1.0
 * @category models
 */
export interface Any {
  readonly [TypeId]: typeof TypeId
  readonly actions: ReadonlyMap<string, Action.Any>
}

/**
 * Returns `true` if a value is a group of contracts.
 *
 * @since 0.1.0
 * @category guards
 */
export const isActionGroup = (u: unknown): u is Any => Predicate.hasProperty(u, TypeId)

type Build<A> = A | Effect.Effect<A, unknown, unknown>

const GroupProto = {
  [TypeId]: TypeId,
  pipe() {
    return pipeArguments(this, arguments)
  },
  add(this: Any, ...actions: ReadonlyArray<Action.Any>) {
    return makeGroup([...this.actions.values(), ...actions])
  },
  merge(this: Any, ...groups: ReadonlyArray<Any>) {
    return makeGroup([this, ...groups].flatMap((group) => [...group.actions.values()]))
  },
  omit(this: Any, ...types: ReadonlyArray<string>) {
    return makeGroup([...this.actions.values()].filter((action) => !types.includes(action.type)))
  },
  handlers(this: Any, build: Build<{ readonly [type: string]: AnyHandler }>) {
    return makeHandlers([...this.actions.keys()], build, (record) => {
      const unknown = Object.keys(record).filter((type) => !this.actions.has(type))
      const missing = [...this.actions.keys()].filter((type) => !Object.hasOwn(record, type))
      if (missing.length > 0 || unknown.length > 0) {
        throw new TypeError([
          ...missing.map((type) => `Missing handler: ${type}`),
          ...unknown.map((type) => `No such action in the group: ${type}`)
        ].join(", "))
      }
      return [...this.actions.values()].map((action) => contractRoute(action, record[action.type]))
    })
  },
  of: identity,
  handler(this: Any, type: string, build: Build<AnyHandler>) {
    const action = this.actions.get(type)
    if (action === undefined) throw new TypeError(`No such action in the group: ${type}`)
    return makeHandlers([type], build, (handler) => [contractRoute(action, handler)])
  },
  complete(this: Any, handlers: Handlers<unknown, unknown>) {
    const missing = [...this.actions.keys()].filter((type) => !handlers.types.has(type))
    if (missing.length > 0) throw new TypeError(missing.map((type) => `Missing handler: ${type}`).join(", "))
    return handlers
  }
}

const makeGroup = (actions: ReadonlyArray<Action.Any>): Any => {
  const byType = new Map<string, Action.Any>()
  for (const action of actions) {
    if (byType.has(action.type)) {
      throw new TypeError(`Two contracts of the group have the type "${action.type}": remove or rename one`)
    }
    byType.set(action.type, action)
  }
  return Object.assign(Object.create(GroupProto), { actions: byType })
}

/**
 * Makes a group of contracts.
 *
 * **Gotchas**
 *
 * Throws a `TypeError` if two contracts have the same type.
 *
 * **Example** (A group and its handlers)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Action, ActionGroup } from "effect-redis-workers"
 *
 * const CreateUser = Action.make("user.create", {
 *   payload: { email: Schema.String },
 *   success: { userId: Schema.String }
 * })
 *
 * const UserActions = ActionGroup.make(CreateUser)
 *
 * const handlers = UserActions.handlers({
 *   "user.create": ({ email }) => Effect.succeed({ userId: `id of ${email}` })
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <const Actions extends ReadonlyArray<Action.Any>>(
  ...actions: Actions
): ActionGroup<Actions[number]> =>
  // SAFETY: the map holds exactly these contracts, and the prototype implements the interface.
  makeGroup(actions) as unknown as ActionGroup<Actions[number]>

// -----------------------------------------------------------------------------
// Making handlers
// -----------------------------------------------------------------------------

const HandlersProto = {
  [HandlersTypeId]: { _E: identity, _R: identity },
  pipe() {
    return pipeArguments(this, arguments)
  }
}

const fromBuild = (
  types: ReadonlyArray<string>,
  build: Effect.Effect<ReadonlyMap<string, Route>, unknown, unknown>
): Handlers<unknown, unknown> => Object.assign(Object.create(HandlersProto), { types: new Set(types), build })

const makeHandlers = <A>(
  types: ReadonlyArray<string>,
  build: Build<A>,
  toRoutes: (built: A) => ReadonlyArray<Route>
): Handlers<unknown, unknown> =>
  fromBuild(
    types,
    Effect.map(
      Effect.isEffect(build) ? build : Effect.succeed(build),
      (built) => new Map(toRoutes(built).map((route) => [route.actionType, route]))
    )
  )

/**
 * Makes {@link Handlers} from a plain record of handlers without contracts.
 *
 * **Gotchas**
 *
 * Throws a `TypeError` if a key is not an action type.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromRecord = <H extends RawHandlers>(
  record: H & Runnable<H>
): Handlers<never, HandlersServices<H>, keyof H & string> => {
  const wrong = Object.keys(record).find((type): boolean => !isActionType(type))
  if (wrong !== undefined) {
    throw new TypeError(`"${wrong}" is not an action type: expected service.verb, such as user.create`)
  }
  // SAFETY: building from a record cannot fail; its handlers need what the record says.
  return makeHandlers(
    Object.keys(record),
    record as unknown as { readonly [type: string]: AnyHandler },
    (handlers) => Object.entries(handlers).map(([type, handler]) => rawRoute(type, handler))
  ) as never
}

/**
 * Returns {@link Handlers} unchanged, and converts a plain record of handlers.
 *
 * @since 0.1.0
 * @category constructors
 */
export const toHandlers = <H extends AnyHandlers>(
  handlers: H
): Handlers<BuildError<H>, Services<H>, Types<H>> =>
  // SAFETY: `BuildError`, `Services` and `Types` are derived from `H`, whether it is `Handlers` or a record.
  (isHandlers(handlers) ? handlers : fromRecord(handlers)) as never

/**
 * Combines the handlers of several groups, or handlers of one group made one by one.
 *
 * **Gotchas**
 *
 * Throws a `TypeError` if two of them handle the same type.
 *
 * **Example** (One worker for two groups)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Action, ActionGroup } from "effect-redis-workers"
 *
 * const Ping = ActionGroup.make(Action.make("user.ping"))
 * const Pong = ActionGroup.make(Action.make("user.pong"))
 *
 * const handlers = ActionGroup.mergeHandlers(
 *   Ping.handlers({ "user.ping": () => Effect.void }),
 *   Pong.handlers({ "user.pong": () => Effect.void })
 * )
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const mergeHandlers = <const All extends ReadonlyArray<Handlers<unknown, unknown>>>(
  ...all: All
): Handlers<BuildError<All[number]>, Services<All[number]>, Types<All[number]>> => {
  const types = all.flatMap((handlers) => [...handlers.types])
  const twice = types.find((type, index) => types.indexOf(type) !== index)
  if (twice !== undefined) throw new TypeError(`Two handlers for "${twice}": remove one`)
  // SAFETY: the routes are those of all arguments, and so are the types.
  return fromBuild(
    types,
    Effect.map(
      Effect.all(all.map((handlers) => handlers.build)),
      (maps) => new Map(maps.flatMap((routes) => [...routes]))
    )
  ) as never
}
