/** Contracts from a module of the user: its exported actions and groups, also inside of records and arrays. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Action from "../Action.ts"
import * as ActionGroup from "../ActionGroup.ts"
import { invalid } from "./failure.ts"
import { Contracts } from "./globals.ts"

const found = (value: unknown, depth: number): ReadonlyArray<Action.Any> => {
  if (Action.isAction(value)) return [value]
  if (ActionGroup.isActionGroup(value)) return [...value.actions.values()]
  if (depth === 0 || typeof value !== "object" || value === null || ActionGroup.isHandlers(value)) return []
  return Object.values(value).flatMap((inner) => found(inner, depth - 1))
}

const load = Effect.fnUntraced(function*(file: string) {
  const path = yield* Path.Path
  const url = yield* Effect.orDie(path.toFileUrl(path.resolve(file)))
  const module = yield* Effect.tryPromise(() => import(url.href) as Promise<object>).pipe(
    Effect.catch((error) => {
      const cause = error.cause
      return invalid(`Cannot load the contracts of ${file}: ${cause instanceof Error ? cause.message : String(cause)}`)
    })
  )
  const actions = new Map(found({ ...module }, 2).map((action) => [action.type, action]))
  if (actions.size === 0) {
    return yield* invalid(`${file} exports no contracts: expected actions (Action.make) or groups (ActionGroup.make)`)
  }
  return ActionGroup.make(...actions.values())
})

/** The group of all contracts of `--contracts`, or `undefined` without the flag. */
export const contracts = Effect.gen(function*() {
  const file = yield* Contracts
  return Option.isNone(file) ? undefined : yield* load(file.value)
})
