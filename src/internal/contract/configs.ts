/**
 * The three configs of an envelope (`execution_config`, `query_config`, `rag_config`): their names, and how a contract
 * with schemas for them decodes and encodes them.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Config } from "../../ActionContext.ts"
import type { DomainAction } from "../../DomainAction.ts"

/** The names in contracts, options and contexts, with their keys on the wire. */
export const wireKeys = {
  execution: "execution_config",
  query: "query_config",
  rag: "rag_config"
} as const

export type ConfigName = keyof typeof wireKeys

export const configNames: ReadonlyArray<ConfigName> = ["execution", "query", "rag"]

/** Configs by name, decoded or not. */
export type ByName = { readonly [K in ConfigName]?: unknown }

/** Configs as they are in an envelope. */
export type OnWire = Pick<DomainAction, (typeof wireKeys)[ConfigName]>

const none: OnWire = { execution_config: null, query_config: null, rag_config: null }

/** The configs of a call merged over the current ones. */
export const merged = (
  over: { readonly [K in ConfigName]?: Config | undefined },
  under: { readonly [K in ConfigName]?: Config | undefined }
): OnWire => {
  const execution_config = over.execution ?? under.execution ?? null
  const query_config = over.query ?? under.query ?? null
  const rag_config = over.rag ?? under.rag ?? null
  return execution_config === null && query_config === null && rag_config === null
    ? none
    : { execution_config, query_config, rag_config }
}

/** A config of an action does not fit its contract, or is missing. */
export class ConfigsRefused extends Schema.SchemaError {}

/** The beginning of the message about a rejected action. */
export const misfitOf = (error: Schema.SchemaError, actionType: string): string =>
  `The ${error instanceof ConfigsRefused ? "configs do" : "payload does"} not fit the contract of ${actionType}`

type Coding<A> = Effect.Effect<A, Schema.SchemaError, unknown>

type AnyCoder = (value: unknown) => Coding<unknown>

interface Field {
  readonly name: ConfigName
  readonly decode: AnyCoder
  readonly encode: AnyCoder
  readonly check: AnyCoder
  /** Whether the schema accepts `null`. Otherwise `null` on the wire is an absent key. */
  readonly takesNull: boolean
}

export interface ConfigsCodec {
  readonly decode: (action: OnWire) => Coding<ByName>
  /** An omitted config is taken from the context, and checked in its encoded form. */
  readonly encode: (given: ByName, inForce: { readonly [K in ConfigName]?: Config | undefined }) => Coding<OnWire>
}

/** The functions that build a codec. */
export interface Making {
  readonly decoder: (schema: Schema.Top) => AnyCoder
  readonly encoder: (schema: Schema.Top) => AnyCoder
  readonly takesNull: (schema: Schema.Top) => boolean
}

const fieldOf = (name: ConfigName, schema: Schema.Top, making: Making): Field => {
  // One config at a time, under its key on the wire, so that an issue has the path that the sender knows.
  const only = Schema.Struct({ [wireKeys[name]]: schema })
  const annotation = { messageMissingKey: `Missing: pass it as the option ${name}, or set it with ActionContext` }
  return {
    name,
    decode: making.decoder(only),
    encode: making.encoder(Schema.Struct({ [wireKeys[name]]: schema.pipe(Schema.annotateKey(annotation)) })),
    check: making.decoder(Schema.toEncoded(Schema.toCodecJson(only))),
    takesNull: making.takesNull(schema)
  }
}

const refused = (error: Schema.SchemaError): Schema.SchemaError => new ConfigsRefused(error.issue)

/** `undefined` for a contract without configs. */
export const make = (schemas: Schema.Struct.Fields, making: Making): ConfigsCodec | undefined => {
  const fields = configNames.flatMap((name) => {
    const schema = schemas[name]
    // SAFETY: `Action.make` builds the record from schemas alone.
    return schema === undefined ? [] : [fieldOf(name, schema as Schema.Top, making)]
  })
  if (fields.length === 0) return undefined

  /** One after the other: an `Exit` if the schemas are synchronous. */
  const fold = <A extends object>(from: A, each: (field: Field) => Coding<object>, index = 0): Coding<A> => {
    const field = fields[index]
    return field === undefined
      ? Effect.succeed(from)
      : Effect.flatMapEager(
        Effect.mapErrorEager(each(field), refused),
        (part) => fold({ ...from, ...part }, each, index + 1)
      )
  }

  const decode = (action: OnWire) => ({ decode, name, takesNull }: Field): Coding<object> => {
    const key = wireKeys[name]
    const value = action[key] ?? null
    return Effect.mapEager(decode(value === null && !takesNull ? {} : { [key]: value }), (decoded) => {
      // SAFETY: a struct of this one key was just decoded.
      const struct = decoded as { readonly [key: string]: unknown }
      return Object.hasOwn(struct, key) ? { [name]: struct[key] } : {}
    })
  }

  const encode =
    (given: ByName, inForce: { readonly [K in ConfigName]?: Config | undefined }) =>
    ({ check, encode, name }: Field): Coding<object> => {
      const key = wireKeys[name]
      const own = given[name]
      const value = inForce[name]
      const coded = own !== undefined
        ? encode({ [key]: own })
        : value !== undefined
        ? check({ [key]: value })
        : encode({})
      // SAFETY: a struct of this one key was just encoded.
      return Effect.mapEager(
        coded,
        (encoded) => ({ [key]: (encoded as { readonly [key: string]: unknown })[key] ?? null })
      )
    }

  return {
    decode: (action) => fold({}, decode(action)),
    encode: (given, inForce) => {
      // Configs without a schema in the contract are sent unchanged. The others are written below.
      const raw: Record<string, Config | undefined> = {}
      for (const name of configNames) {
        if (fields.every((field) => field.name !== name)) {
          // SAFETY: the types of the options allow nothing else, and the envelope is checked before it is sent.
          raw[name] = given[name] as Config | undefined
        }
      }
      return fold(merged(raw, inForce), encode(given, inForce))
    }
  }
}
