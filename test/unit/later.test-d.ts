/** What is not possible with actions that run later or once, as types. */
import { describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import type * as ActionClient from "../../src/ActionClient.ts"

declare const client: ActionClient.ActionClient["Service"]

const Count = Action.make("user.count", { payload: { of: Schema.String }, success: Schema.Number })
const Counted = Action.make("user.counted", { payload: { value: Schema.Number } })

const unique = { key: "a", within: "1 hour" } as const
const debounce = { key: "a", quiet: "1 second", maxWait: "1 minute" } as const

describe("an action that runs later or once", () => {
  it("is not a request, because its caller waits", () => {
    // @ts-expect-error 'delay' does not exist in type 'RequestOptions'
    void client.request(Count, { of: "a" }, { delay: "1 second" })
    // @ts-expect-error 'expiresIn' does not exist in type 'RequestOptions'
    void client.request(Count, { of: "a" }, { expiresIn: "1 second" })
    // @ts-expect-error 'unique' does not exist in type 'RequestOptions'
    void client.request(Count, { of: "a" }, { unique })
    // @ts-expect-error 'debounce' does not exist in type 'RequestOptions'
    void client.request(Count, { of: "a" }, { debounce })
  })

  it("has a callback only if each is sent", () => {
    void client.sendWithCallback(Count, { of: "a" }, { callback: Counted, delay: "1 second", expiresIn: "1 hour" })
    // @ts-expect-error 'unique' does not exist in type 'CallbackOptions'
    void client.sendWithCallback(Count, { of: "a" }, { callback: Counted, unique })
    // @ts-expect-error 'debounce' does not exist in type 'CallbackOptions'
    void client.sendWithCallback(Count, { of: "a" }, { callback: Counted, debounce })
  })

  it("is one of many only if each is sent", () => {
    void client.sendMany(Count, [{ of: "a" }], { delay: "1 second" })
    // @ts-expect-error 'unique' does not exist in type 'SendManyOptions'
    void client.sendMany(Count, [{ of: "a" }], { unique })
    // @ts-expect-error 'debounce' does not exist in type 'SendManyOptions'
    void client.sendMany(Count, [{ of: "a" }], { debounce })
  })

  it("has a key that is made of its own payload", () => {
    Action.make("user.import", { payload: { shop: Schema.String }, unique: ({ shop }) => ({ key: shop, within: 1 }) })
    // @ts-expect-error 'other' does not exist in the payload
    Action.make("user.import", { payload: { shop: Schema.String }, unique: ({ other }) => ({ key: other, within: 1 }) })
  })
})
