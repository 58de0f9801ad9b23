/** The services `user` and `embedding`, each as `SERVICE_NAME` says, for clients that write as the Python services do. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Action from "../../src/Action.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as HandlerError from "../../src/HandlerError.ts"
import * as Worker from "../../src/Worker.ts"
import { AppLayer, say, sayNow } from "../support/program.ts"

class EmailTaken extends Schema.TaggedError<EmailTaken>()("EmailTaken", { email: Schema.String }) {}

const CreateUser = Action.make("user.create", {
  payload: { email: Schema.String },
  success: { user_id: Schema.String, attempt: Schema.Number },
  error: EmailTaken
})
const TouchUser = Action.make("user.touch", { payload: { user: Schema.Number } })
const BreakUser = Action.make("user.break", { maxAttempts: 1 })

const users = ActionGroup.make(CreateUser, TouchUser, BreakUser).handlers({
  "user.create": ({ email }, { attempt }) =>
    email.startsWith("taken")
      ? Effect.fail(new EmailTaken({ email }))
      : Effect.succeed({ user_id: `id of ${email}`, attempt }),
  "user.touch": ({ user }, { action }) => say(`touched ${user} by ${action.origin_service}`),
  "user.break": () => Effect.die(new Error("the database is on fire"))
})

const embeddings = {
  "embedding.document.process": ({ data }: { readonly data: { readonly [key: string]: unknown } }) =>
    Array.isArray(data["texts"])
      ? Effect.succeed({ vectors: data["texts"].map((text) => [String(text).length]) })
      : Effect.fail(
        new HandlerError.Rejected({ message: "no texts", errorType: "NotFound", details: { keys: Object.keys(data) } })
      )
}

const main = process.env["SERVICE_NAME"] === "user" ? Worker.run(users) : Worker.run(embeddings)

sayNow("up")
NodeRuntime.runMain(main.pipe(Effect.provide(AppLayer)), { teardown: Worker.teardown })
