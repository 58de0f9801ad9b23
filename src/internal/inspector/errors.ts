/**
 * The errors of the inspector, exported by `Inspector`.
 *
 * @since 0.2.0
 */
import * as Schema from "effect/Schema"

const quoted = (names: ReadonlyArray<string>): string => names.map((name) => JSON.stringify(name)).join(" or ")

/**
 * Redis has nothing of the service: no stream, no dead letters, and no worker ever started. `nearest` has the known
 * names that are most like it.
 *
 * @since 0.2.0
 * @category errors
 */
export class ServiceNotFound extends Schema.TaggedError<ServiceNotFound>()("ServiceNotFound", {
  service: Schema.String,
  nearest: Schema.Array(Schema.String),
  /** The action stream that was looked for. It names the prefix and the environment. */
  stream: Schema.String
}) {
  override get message(): string {
    const advice = this.nearest.length === 0
      ? "Check the name, and the prefix and environment in the name of the stream"
      : `Did you mean ${quoted(this.nearest)}?`
    return `There is no service ${JSON.stringify(this.service)}: Redis has no ${this.stream}. ${advice}`
  }
}

/**
 * The Redis user may not run a command. `command` is what its ACL lacks.
 *
 * @since 0.2.0
 * @category errors
 */
export class NotPermitted extends Schema.TaggedError<NotPermitted>()("NotPermitted", {
  /** What was tried, such as `pause`. */
  operation: Schema.String,
  service: Schema.String,
  /** The command in lower case; `undefined` if the user lacks access to the keys. */
  command: Schema.UndefinedOr(Schema.String),
  /** What the server said. */
  detail: Schema.String
}) {
  override get message(): string {
    const lacks = this.command === undefined
      ? `access to the keys of the service (${this.detail})`
      : `the command ${this.command}: add +${this.command} to its ACL`
    return `The Redis user may not ${this.operation} in ${JSON.stringify(this.service)}. It lacks ${lacks}. ` +
      "The role \"operator\" in docs/redis.acl has all that is needed"
  }
}

/**
 * The action is not waiting, running, parked or dead: it ended, or it never existed. There is no record of actions that
 * ended: metrics, log lines and traces report them.
 *
 * @since 0.2.0
 * @category errors
 */
export class ActionNotFound extends Schema.TaggedError<ActionNotFound>()("ActionNotFound", {
  service: Schema.String,
  /** The entry id or the action id that was looked for. */
  id: Schema.String,
  /** Whether every place was looked at. */
  complete: Schema.Boolean
}) {
  override get message(): string {
    const where = `in ${JSON.stringify(this.service)}`
    return this.complete
      ? `There is no action ${this.id} ${where}: it ended before, or the id is wrong`
      : `No action ${this.id} was found ${where}, but not everything was looked at. Give its receipt or its entry id`
  }
}

/**
 * The action runs. It can be cancelled, retried or buried when its handler has ended.
 *
 * @since 0.2.0
 * @category errors
 */
export class Running extends Schema.TaggedError<Running>()("Running", {
  service: Schema.String,
  entryId: Schema.String,
  /** The consumer that holds it. */
  consumer: Schema.String
}) {
  override get message(): string {
    return `The action ${this.entryId} of ${
      JSON.stringify(this.service)
    } is held by ${this.consumer} and runs, or is ` +
      "about to. Wait until it ends"
  }
}

/**
 * The action is in a state in which the operation means nothing, such as `retryNow` of an action that was not delivered
 * yet.
 *
 * @since 0.2.0
 * @category errors
 */
export class WrongState extends Schema.TaggedError<WrongState>()("WrongState", {
  operation: Schema.String,
  id: Schema.String,
  state: Schema.String,
  expected: Schema.String
}) {
  override get message(): string {
    return `Cannot ${this.operation} the action ${this.id}: it is ${this.state}, and must be ${this.expected}`
  }
}

/**
 * The receipt is of another environment or prefix than this inspector's.
 *
 * @since 0.2.0
 * @category errors
 */
export class OtherEnvironment extends Schema.TaggedError<OtherEnvironment>()("OtherEnvironment", {
  /** The stream in the receipt. */
  stream: Schema.String,
  /** The stream that this inspector's naming has for the service. */
  expected: Schema.String
}) {
  override get message(): string {
    return `The receipt is of the stream ${this.stream}, but this connection's is ${this.expected}. Use the prefix and ` +
      "environment of the sender"
  }
}
