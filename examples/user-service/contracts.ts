/** What the services `user` and `signup` ask of each other: the one module that both import. */
import { Schema } from "effect"
import { Action, ActionGroup } from "effect-redis-workers"

// -----------------------------------------------------------------------------
// user
// -----------------------------------------------------------------------------

export const NewUser = Schema.Struct({ email: Schema.String, name: Schema.String })

export const User = Schema.Struct({ userId: Schema.String, ...NewUser.fields })
export type User = typeof User.Type

export class EmailTaken extends Schema.TaggedError<EmailTaken>()("EmailTaken", { email: Schema.String }) {}

export class NoSuchUser extends Schema.TaggedError<NoSuchUser>()("NoSuchUser", { userId: Schema.String }) {}

export const CreateUser = Action.make("user.create", { payload: NewUser, success: User, error: EmailTaken })

export const GetUser = Action.make("user.get", {
  payload: { userId: Schema.String },
  success: User,
  error: NoSuchUser
})

// -----------------------------------------------------------------------------
// signup: what it is told about an import, some time after it asked
// -----------------------------------------------------------------------------

const ImportResult = Schema.Struct({ created: Schema.Int, taken: Schema.Array(Schema.String) })

export const ImportFinished = Action.make("signup.import_finished", { payload: ImportResult })

export const ImportFailed = Action.make("signup.import_failed", { payload: { message: Schema.String } })

/** An import may take long: it is asked for with a callback. */
export const ImportUsers = Action.make("user.import", {
  payload: { users: Schema.NonEmptyArray(NewUser) },
  success: ImportResult,
  handlerTimeout: "1 minute",
  failureAction: ImportFailed
})

export const UserActions = ActionGroup.make(CreateUser, GetUser, ImportUsers)

export const SignupActions = ActionGroup.make(ImportFinished, ImportFailed)
