/**
 * `acl <role>`: the line of an ACL file for a sender, a worker or an operator. The text is that of docs/redis.acl, which
 * the tests load into a server.
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Settings from "../../Settings.ts"
import { offline, service } from "../connect.ts"
import { invalid } from "../failure.ts"
import { flag } from "../flags.ts"
import { show } from "../screen.ts"
import { safe } from "../text.ts"

/** The users of the file by role; the first that is there counts. */
const users = {
  sender: ["sender", "producer"],
  scheduler: ["scheduler"],
  worker: ["worker"],
  operator: ["operator", "admin"]
} as const

// As deep as this file from the package's root, here and in `dist`.
const file = new URL("../../../docs/redis.acl", import.meta.url)
const bundled = new URL("../../docs/redis.acl", import.meta.url)

interface Named {
  readonly prefix: string
  readonly environment: string
  readonly service: string
  readonly client: string
}

/** The line with other names than those of the example. */
export const withNames = (line: string, { client, environment, prefix, service }: Named): string =>
  line
    .replaceAll("~nooble4:dev:", `~${prefix}:${environment}:`)
    .replaceAll("~nooble4:*:", `~${prefix}:*:`)
    .replaceAll(`~${prefix}:${environment}:user:`, `~${prefix}:${environment}:${service}:`)
    .replaceAll(`~${prefix}:*:user:`, `~${prefix}:*:${service}:`)
    .replaceAll(`~${prefix}:${environment}:orchestrator:`, `~${prefix}:${environment}:${client}:`)

/** The same on a cluster: names have hash tags, and answers are beside the service that gives them. */
export const withHashTags = (line: string, { client, environment, prefix }: Named): string =>
  line
    .replaceAll(
      `~${prefix}:${environment}:${client}:responses:*`,
      `~${prefix}:${environment}:*:responses:inbox:${client}.*`
    )
    .split(" ")
    .map((word) => {
      const pattern = /^(\(?~)(.+)$/.exec(word)
      if (pattern === null || !pattern[2]!.startsWith(`${prefix}:`)) return word
      // A prefix may contain colons.
      const [environment = "", service = "", ...parts] = pattern[2]!.slice(prefix.length + 1).split(":")
      return `${pattern[1]}{${prefix}:${environment}:${service}}:${parts.join(":")}`
    })
    .join(" ")

/** What a cluster needs besides: its table of slots, scripts that a node does not have, and keys whose slot moves. */
const forCluster = (line: string): string => line.replace(" +ping", " +eval +asking +cluster|slots +ping")

export const acl = Command.make("acl", {
  role: Argument.Literals("role", ["sender", "scheduler", "worker", "operator"]).pipe(
    Argument.withDescription("sender: sends and requests; scheduler: also sends for later; worker; operator: this tool")
  ),
  client: Flag.String("client").pipe(
    Flag.withMetavar("name"),
    Flag.withDescription("The service name of the sender, for its responses. Default: that of --service"),
    Flag.optional
  ),
  command: flag("command", "Print an ACL SETUSER command instead of a line of an ACL file")
}, ({ client, command, role }) =>
  Effect.gen(function*() {
    const name = yield* service
    const { environment, queueHashTags, queuePrefix, redis } = yield* Settings.Settings
    const files = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const read = (url: URL) => Effect.flatMap(path.fromFileUrl(url), (file) => files.readFileString(file))
    const text = yield* Effect.catch(read(file), () => read(bundled)).pipe(
      Effect.catch(() => invalid("docs/redis.acl is missing from the package: install effect-redis-workers again"))
    )
    const lines = text.split("\n")
    const line = users[role].flatMap((user) => lines.filter((line) => line.startsWith(`user ${user} `)))[0]
    if (line === undefined) return yield* invalid(`docs/redis.acl has no line for the role ${role}`)
    const names: Named = {
      prefix: queuePrefix,
      environment,
      service: name,
      client: Option.getOrElse(client, () => name)
    }
    const plain = withNames(line, names)
    const tagged = queueHashTags ? withHashTags(plain, names) : plain
    const named = redis.cluster ? forCluster(tagged) : tagged
    const result = command ? named.replace(/^user /, "ACL SETUSER ") : named
    yield* show({ role, service: name, environment, line: result }, () => [safe(result)])
  }).pipe(Effect.provide(offline))).pipe(
    Command.withDescription("Print the ACL line of a Redis user with exactly the rights that a role needs"),
    Command.withExamples([
      { command: "redis-workers acl worker --service payment", description: "A worker of the service payment" },
      {
        command: "redis-workers acl operator -s payment --command | redis-cli",
        description: "Make the user at once. Replace the password first"
      }
    ])
  )
