/**
 * The ids and configs that travel from an action to the actions that its handler sends.
 *
 * A worker sets the context of each handler from the delivery, and the client writes it into every action that the
 * handler sends. Tenant, session, task, user, agent and trace ids follow the work across services without a parameter
 * in any handler. So do the configs for execution, query and RAG that the Python services require.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type { DomainAction } from "./DomainAction.ts"

/**
 * A config as on the wire: a JSON object.
 *
 * @since 0.2.0
 * @category models
 */
export type Config = { readonly [key: string]: unknown }

/**
 * The ids, each a UUID or `undefined` if unknown, and the configs, if any.
 *
 * The correlation id is not included: it links one answer to one request.
 *
 * @since 0.1.0
 * @category models
 */
export type ActionContext = {
  readonly tenantId: string | undefined
  readonly sessionId: string | undefined
  readonly taskId: string | undefined
  readonly userId: string | undefined
  readonly agentId: string | undefined
  readonly traceId: string | undefined
  /** `execution_config` on the wire. */
  readonly execution?: Config | undefined
  /** `query_config` on the wire. */
  readonly query?: Config | undefined
  /** `rag_config` on the wire. */
  readonly rag?: Config | undefined
}

/**
 * Some of the ids and configs, to override those of a context.
 *
 * @since 0.1.0
 * @category models
 */
export type Input = { readonly [K in keyof ActionContext]?: ActionContext[K] }

/**
 * A context without ids and configs.
 *
 * @since 0.1.0
 * @category constructors
 */
export const empty: ActionContext = {
  tenantId: undefined,
  sessionId: undefined,
  taskId: undefined,
  userId: undefined,
  agentId: undefined,
  traceId: undefined
}

/**
 * The current ids and configs. Default: {@link empty}.
 *
 * **Example** (Reading the tenant)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { ActionContext } from "effect-redis-workers"
 *
 * const program = Effect.gen(function*() {
 *   const { tenantId } = yield* ActionContext.ActionContext
 *   yield* Effect.log(`working for tenant ${tenantId ?? "(none)"}`)
 * })
 * ```
 *
 * @since 0.1.0
 * @category references
 */
export const ActionContext: Context.Reference<ActionContext> = Context.Reference<ActionContext>(
  "effect-redis-workers/ActionContext",
  { defaultValue: () => empty }
)

/** Few actions carry configs. The others should not pay for them. */
const withConfigs = (
  ids: ActionContext,
  execution: Config | undefined,
  query: Config | undefined,
  rag: Config | undefined
): ActionContext =>
  execution === undefined && query === undefined && rag === undefined
    ? ids
    : {
      ...ids,
      ...(execution === undefined ? undefined : { execution }),
      ...(query === undefined ? undefined : { query }),
      ...(rag === undefined ? undefined : { rag })
    }

/**
 * Returns the ids and configs of an action, as a worker sets them for its handler.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromAction = (action: DomainAction): ActionContext => {
  const { agent_id, session_id, task_id, tenant_id, trace_id, user_id } = action
  // Services without tenants mostly send actions without ids: these share one value.
  const ids = tenant_id === null && session_id === null && task_id === null && user_id === null && agent_id === null &&
      trace_id === null
    ? empty
    : {
      tenantId: tenant_id ?? undefined,
      sessionId: session_id ?? undefined,
      taskId: task_id ?? undefined,
      userId: user_id ?? undefined,
      agentId: agent_id ?? undefined,
      traceId: trace_id ?? undefined
    }
  return withConfigs(
    ids,
    action.execution_config ?? undefined,
    action.query_config ?? undefined,
    action.rag_config ?? undefined
  )
}

/**
 * Merges two contexts. The ids and configs of `over` win; `undefined` keeps the value of `under`. A config is replaced
 * as a whole.
 *
 * @since 0.1.0
 * @category combinators
 */
export const merge = (under: ActionContext, over: Input): ActionContext =>
  withConfigs(
    {
      tenantId: over.tenantId ?? under.tenantId,
      sessionId: over.sessionId ?? under.sessionId,
      taskId: over.taskId ?? under.taskId,
      userId: over.userId ?? under.userId,
      agentId: over.agentId ?? under.agentId,
      traceId: over.traceId ?? under.traceId
    },
    over.execution ?? under.execution,
    over.query ?? under.query,
    over.rag ?? under.rag
  )

/**
 * Converts a context to the keys of the wire format, for `DomainAction.make`. An absent config has no key.
 *
 * @since 0.1.0
 * @category getters
 */
export const toFields = (
  context: ActionContext
):
  & Pick<DomainAction, "tenant_id" | "session_id" | "task_id" | "user_id" | "agent_id" | "trace_id">
  & Partial<Pick<DomainAction, "execution_config" | "query_config" | "rag_config">> => ({
    tenant_id: context.tenantId ?? null,
    session_id: context.sessionId ?? null,
    task_id: context.taskId ?? null,
    user_id: context.userId ?? null,
    agent_id: context.agentId ?? null,
    trace_id: context.traceId ?? null,
    ...(context.execution === undefined ? undefined : { execution_config: context.execution }),
    ...(context.query === undefined ? undefined : { query_config: context.query }),
    ...(context.rag === undefined ? undefined : { rag_config: context.rag })
  })

/**
 * Runs an effect with these ids and configs merged over the current ones.
 *
 * **Example** (Working for one tenant)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { ActionContext } from "effect-redis-workers"
 *
 * const program = Effect.log("sends carry the tenant").pipe(
 *   ActionContext.set({ tenantId: "3f0c1b9e-6f0a-4d8e-9a53-2b1f6f0a77aa" })
 * )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const set: {
  (ids: Input): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, ids: Input): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, ids: Input): Effect.Effect<A, E, R> =>
    Effect.updateService(self, ActionContext, (current) => merge(current, ids))
)

/**
 * Runs an effect with exactly these ids and configs, replacing the current ones.
 *
 * @since 0.1.0
 * @category combinators
 */
export const provide: {
  (context: ActionContext): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, context: ActionContext): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, context: ActionContext): Effect.Effect<A, E, R> =>
    Effect.provideService(self, ActionContext, context)
)
