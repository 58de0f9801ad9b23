/**
 * What the calls of a client take, as types.
 */
import { describe, expectTypeOf, it } from "@effect/vitest"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import type * as ActionClient from "../../src/ActionClient.ts"

declare const client: ActionClient.ActionClient["Service"]

const Nothing = Action.make("user.nothing", { payload: {} })
const Count = Action.make("user.count", { payload: {}, success: Schema.Number })
const List = Action.make("user.list", { payload: {}, success: Schema.Array(Schema.String) })
const Find = Action.make("user.find", { payload: {}, success: Schema.NullOr(Schema.Struct({ userId: Schema.String })) })

const Since = Action.make("user.since", { payload: {}, success: Schema.Date })
const MaySince = Action.make("user.may_since", { payload: {}, success: Schema.NullOr(Schema.Date) })
const Get = Action.make("user.get", { payload: {}, success: Schema.Unknown })
const Counts = Action.make("user.counts", { payload: {}, success: Schema.Record(Schema.String, Schema.Any) })

const Empty = Action.make("client.empty", { payload: {} })
const Anything = Action.make("client.anything", { payload: Schema.Record(Schema.String, Schema.Unknown) })
const User = Action.make("client.user", { payload: { userId: Schema.String } })
const MaybeUser = Action.make("client.maybe_user", { payload: { userId: Schema.optionalKey(Schema.String) } })
const Counted = Action.make("client.counted", { payload: { value: Schema.Number } })
const Told = Action.make("client.told", { payload: { value: Schema.Date } })
const MayTold = Action.make("client.may_told", { payload: { value: Schema.NullOr(Schema.Date) } })
const Got = Action.make("client.got", { payload: { value: Schema.Unknown } })
const Listed = Action.make("client.listed", { payload: { value: Schema.Array(Schema.String) } })

describe("a callback", () => {
  it("takes what its data will be", () => {
    void client.sendWithCallback(Nothing, {}, { callback: Empty })
    void client.sendWithCallback(Nothing, {}, { callback: Anything })
    void client.sendWithCallback(Nothing, {}, { callback: MaybeUser })
    void client.sendWithCallback(Count, {}, { callback: Counted })
    void client.sendWithCallback(List, {}, { callback: Listed })
    void client.sendWithCallback(Find, {}, { callback: MaybeUser })
    void client.sendWithCallback(Count, {}, { callback: { action: Counted, to: "stream" } })
  })

  it("takes what has methods, or may be anything, as a value", () => {
    void client.sendWithCallback(Since, {}, { callback: Told })
    void client.sendWithCallback(MaySince, {}, { callback: MayTold })
    void client.sendWithCallback(Get, {}, { callback: Got })
    void client.sendWithCallback(Get, {}, { callback: Anything })
    void client.sendWithCallback(Counts, {}, { callback: Anything })
    // @ts-expect-error The payload of the callback does not take the success of the action
    void client.sendWithCallback(Since, {}, { callback: Counted })
    // @ts-expect-error The payload of the callback does not take the success of the action
    void client.sendWithCallback(MaySince, {}, { callback: Told })
    // @ts-expect-error The payload of the callback does not take the success of the action
    void client.sendWithCallback(Get, {}, { callback: User })
  })

  it("that takes something else does not compile", () => {
    // @ts-expect-error The payload of the callback does not take the success of the action
    void client.sendWithCallback(Nothing, {}, { callback: User })
    // @ts-expect-error The payload of the callback does not take the success of the action
    void client.sendWithCallback(Count, {}, { callback: User })
    // @ts-expect-error The payload of the callback does not take the success of the action
    void client.sendWithCallback(List, {}, { callback: Counted })
    // @ts-expect-error The payload of the callback does not take the success of the action
    void client.sendWithCallback(Find, {}, { callback: User })
  })
})

describe("a request", () => {
  it("has no correlation id of its caller's: its answer is found by one that no other request has", () => {
    // @ts-expect-error 'correlationId' does not exist in type 'RequestOptions'
    void client.request(Count, {}, { correlationId: "00000000-0000-4000-8000-000000000001" })
    expectTypeOf(client.request(Count, {})).toExtend<Effect.Effect<number, unknown>>()
  })
})
