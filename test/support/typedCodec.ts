/** The codec of a contract with its types, which the library itself does not need. */
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as Action from "../../src/Action.ts"
import type { ErrorDetail } from "../../src/DomainAction.ts"
import { type AnyCodec, codecOf as anyCodecOf } from "../../src/internal/contract/codec.ts"
import type { OnWire } from "../../src/internal/contract/configs.ts"

type Coding<A, R> = Effect.Effect<A, Schema.SchemaError, R>

export interface Codec<A extends Action.Any> extends Pick<AnyCodec, "memberOf" | "hasConfigs" | "decodeAction"> {
  readonly decodePayload: (data: unknown) => Coding<Action.Payload<A>, A["payloadSchema"]["DecodingServices"]>
  readonly encodePayload: (
    payload: Action.PayloadInput<A>
  ) => Coding<Schema.JsonObject, A["payloadSchema"]["EncodingServices"]>
  readonly decodeSuccess: (data: unknown) => Coding<Action.Success<A>, A["successSchema"]["DecodingServices"]>
  readonly encodeSuccess: (
    success: Action.Success<A>
  ) => Coding<Schema.JsonObject | null, A["successSchema"]["EncodingServices"]>
  readonly encodeError: (error: Action.Error<A>) => Coding<ErrorDetail, A["errorSchema"]["EncodingServices"]>
  readonly decodeError: (
    detail: ErrorDetail
  ) => Effect.Effect<Option.Option<Action.Error<A>>, never, A["errorSchema"]["DecodingServices"]>
  readonly decodeConfigs: (action: OnWire) => Coding<Action.Configs<A>, A["configSchema"]["DecodingServices"]>
  readonly encodeConfigs: (configs: Action.ConfigsInput<A>) => Coding<OnWire, A["configSchema"]["EncodingServices"]>
}

export const codecOf = <A extends Action.Any>(action: A): Codec<A> => anyCodecOf(action)
