/** The repository of users. The layer here keeps them in memory; one over a database has the same type. */
import { Context, Data, Effect, Layer } from "effect"
import { EmailTaken, NoSuchUser, type User } from "./contracts.ts"

/** The database does not answer now. No contract declares this error: the handler decides what happens to the action. */
export class DatabaseBusy extends Data.TaggedError("DatabaseBusy")<{}> {}

export class Users extends Context.Service<Users, {
  /** Inserting the same user again succeeds: an action may run twice. */
  readonly insert: (user: User) => Effect.Effect<User, EmailTaken | DatabaseBusy>
  readonly get: (userId: string) => Effect.Effect<User, NoSuchUser | DatabaseBusy>
}>()("user-service/Users") {
  static readonly layerMemory = Layer.sync(Users, () => {
    const byId = new Map<string, User>()
    const byEmail = new Map<string, User>()
    let calls = 0
    const query = Effect.suspend(() => ++calls === 1 ? Effect.fail(new DatabaseBusy()) : Effect.void)

    return Users.of({
      insert: Effect.fnUntraced(function*(user) {
        yield* query
        const owner = byEmail.get(user.email)
        if (owner !== undefined && owner.userId !== user.userId) return yield* new EmailTaken({ email: user.email })
        byId.set(user.userId, user)
        byEmail.set(user.email, user)
        return user
      }),
      get: Effect.fnUntraced(function*(userId) {
        yield* query
        return byId.get(userId) ?? (yield* new NoSuchUser({ userId }))
      })
    })
  })
}
