/** Tests in a world of the model, and what they wait for in it. */
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Model from "./modelWorld.ts"

/** A test in a world of its own, on the clock of the test. */
export const test = (
  name: string,
  handle: Model.Handle,
  body: (world: Model.World) => Effect.Effect<void, unknown, Scope.Scope>
) => it.effect(name, () => Effect.scoped(Effect.flatMap(Model.makeWorld(handle), body)))

export const started = (world: Model.World, process: Model.Process) =>
  world.until(`${process.name} has started`, () => Effect.sync(() => process.worker() !== undefined))

export const hasRuns = (world: Model.World, count: number) =>
  world.until(`${count} runs`, () => Effect.sync(() => world.runs.length >= count))
