import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as ActionContext from "../../src/ActionContext.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import { golden } from "../fixtures/index.ts"

const id = (n: number) => `0000000${n}-0000-4000-8000-00000000000${n}`

const action = Result.getOrThrow(DomainAction.parse(golden("python/action-request.json")))

const ofAction: ActionContext.ActionContext = {
  tenantId: id(1),
  sessionId: id(2),
  taskId: id(3),
  agentId: id(4),
  userId: id(5),
  traceId: id(8)
}

const current = Effect.gen(function*() {
  return yield* ActionContext.ActionContext
})

describe("ActionContext", () => {
  it.effect("is empty where it was not set", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* current, ActionContext.empty)
      assert.isTrue(Object.values(ActionContext.empty).every((value) => value === undefined))
    }))

  it("takes the ids of an action", () => {
    assert.deepStrictEqual(ActionContext.fromAction(action), ofAction)
  })

  it("takes null for not known", () => {
    const old = Result.getOrThrow(DomainAction.parse(golden("python/old-action-least.json")))
    assert.deepStrictEqual(ActionContext.fromAction(old), ActionContext.empty)
  })

  it("goes into a new action as it came out of the old one", () => {
    const next = DomainAction.make({
      action_id: id(9),
      action_type: "email.send",
      timestamp: action.timestamp,
      data: {},
      ...ActionContext.toFields(ActionContext.fromAction(action))
    })
    for (const key of ["tenant_id", "session_id", "task_id", "agent_id", "user_id", "trace_id"] as const) {
      assert.strictEqual(next[key], action[key], key)
    }
    assert.isNull(next.correlation_id)
  })

  it.effect("set lays ids over those in force", () =>
    Effect.gen(function*() {
      const inner = yield* current.pipe(
        ActionContext.set({ userId: id(7), taskId: undefined }),
        ActionContext.provide(ofAction)
      )
      assert.deepStrictEqual(inner, { ...ofAction, userId: id(7) })
    }))

  it.effect("set ends with the effect that it was given to", () =>
    Effect.gen(function*() {
      yield* ActionContext.set(Effect.void, { tenantId: id(7) })
      assert.deepStrictEqual(yield* current, ActionContext.empty)
    }))

  it.effect("provide forgets what was in force", () =>
    Effect.gen(function*() {
      const inner = yield* current.pipe(
        ActionContext.provide({ ...ActionContext.empty, tenantId: id(6) }),
        ActionContext.provide(ofAction)
      )
      assert.deepStrictEqual(inner, { ...ActionContext.empty, tenantId: id(6) })
    }))

  it.effect("goes along into forked fibers", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(current).pipe(ActionContext.provide(ofAction))
      assert.deepStrictEqual(yield* Fiber.join(fiber), ofAction)
    }))
})
