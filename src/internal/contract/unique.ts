/** The key under which a contract sends only the first of several actions. */
import * as Result from "effect/Result"
import type { Any, Unique } from "../../Action.ts"
import { InvalidOption } from "../base/invalidOption.ts"

/** Why a payload has no key. It shows nothing of the payload. */
export type NoUnique =
  | { readonly _tag: "Threw"; readonly message: string }
  | { readonly _tag: "NoKey"; readonly error: InvalidOption }

/** The key of a payload that fits the contract. Its parts are checked with the other options of a call. */
export const uniqueFor = (action: Any, payload: unknown): Result.Result<Unique, NoUnique> => {
  const { type } = action
  const made = Result.try({
    // SAFETY: the payload is that of this contract, and a contract without the function is not asked.
    try: (): unknown => action.unique!(payload as never),
    catch: (error): NoUnique => {
      const what = error instanceof Error ? error.name : `a value of type ${typeof error}`
      return { _tag: "Threw", message: `The function "unique" of "${type}" threw: ${what}` }
    }
  })
  return Result.flatMap(made, (value) =>
    typeof value === "object" && value !== null
      // SAFETY: its key and its time are checked next.
      ? Result.succeed(value as Unique)
      : Result.fail({
        _tag: "NoKey",
        error: new InvalidOption({
          option: "unique",
          contract: type,
          found: `a function that returned ${value === null ? "null" : `a value of type ${typeof value}`}`,
          expected: "an object with a key and a time, such as { key: \"a\", within: \"1 hour\" }"
        })
      }))
}
