/** The flags of every command. */
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"

export const Json = GlobalFlag.Setting("json")({
  flag: Flag.Boolean("json").pipe(
    Flag.withDescription("Print JSON"),
    Flag.withDefault(false),
    Flag.withoutNegation
  )
})

export const Service = GlobalFlag.Setting("service")({
  flag: Flag.String("service").pipe(
    Flag.withAlias("s"),
    Flag.withMetavar("name"),
    Flag.withDescription("The service. Default: SERVICE_NAME"),
    Flag.optional
  )
})

export const Environment = GlobalFlag.Setting("environment")({
  flag: Flag.String("environment").pipe(
    Flag.withAlias("e"),
    Flag.withMetavar("name"),
    Flag.withDescription("The environment. Default: ENVIRONMENT or dev"),
    Flag.optional
  )
})

export const Prefix = GlobalFlag.Setting("prefix")({
  flag: Flag.String("prefix").pipe(
    Flag.withMetavar("name"),
    Flag.withDescription("The prefix of keys. Default: QUEUE_PREFIX"),
    Flag.optional
  )
})

export const Contracts = GlobalFlag.Setting("contracts")({
  flag: Flag.String("contracts").pipe(
    Flag.withMetavar("file"),
    Flag.withDescription("A module that exports actions or groups"),
    Flag.optional
  )
})

export const globals = [Service, Environment, Prefix, Contracts, Json] as const
