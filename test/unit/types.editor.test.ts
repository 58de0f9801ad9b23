/** What the types say to people: on TypeScript 5.9, in an editor, and when something is wrong. */
import { readdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { assert, beforeAll, describe, it } from "vitest"
import * as Compiler from "../support/compiler.ts"

const contracts = `
import { Context, Effect, Schema } from "effect"
import { Action, ActionClient, ActionGroup, makeWorker, Worker } from "../src/index.ts"

class EmailTaken extends Schema.TaggedError<EmailTaken>()("EmailTaken", { email: Schema.String }) {}
class Undeclared extends Schema.TaggedError<Undeclared>()("Undeclared", { email: Schema.String }) {}
class Db extends Context.Service<Db, { readonly insert: (email: string) => Effect.Effect<string> }>()("Db") {}
const CreateUser = Action.make("user.create", {
  payload: { email: Schema.String, name: Schema.optionalKey(Schema.String), born: Schema.Date },
  success: { userId: Schema.String },
  error: EmailTaken
})
const UpdateUser = Action.make("user.update", {
  payload: { userId: Schema.String, tags: Schema.Array(Schema.String) },
  success: { at: Schema.Date }
})
const DeleteUser = Action.make("user.delete", { payload: { userId: Schema.String } })
const UserActions = ActionGroup.make(CreateUser, UpdateUser, DeleteUser)
const rest = { "user.update": () => Effect.succeed({ at: new Date() }), "user.delete": () => Effect.void }
`

const right = `${contracts}
const handlers = UserActions.handlers({
  "user.create": ({ email }) => Effect.flatMap(Db, (db) => Effect.map(db.insert(email), (userId) => ({ userId }))),
  ...rest
})
export const program = makeWorker(handlers)
export const workerLayer = Worker.layer(handlers)
export const started = Worker.start(handlers)
export const plain = makeWorker({ "user.ping": (action) => Effect.succeed({ pong: action.data }) })
export const asking = Effect.gen(function*() {
  const client = yield* ActionClient.ActionClient
  const answer = client.request(CreateUser, { email: "a", born: new Date() })
  const sent = client.send(CreateUser, { email: "a", born: new Date() })
  const back = client.sendWithCallback(CreateUser, { email: "a", born: new Date() }, { callback: DeleteUser })
  return { answer, sent, back, undeclared: new Undeclared({ email: "a" }) }
})
`

const wrongFile = (record: string): string =>
  `${contracts}export const handlers = UserActions.handlers(${record})
export const others = [ActionClient, Db, makeWorker, Undeclared, Worker, rest]
`

/** A wrong record of handlers, what is underlined, and what must be read there. */
const wrong: ReadonlyArray<readonly [what: string, record: string, underlined: string, message: RegExp]> = [
  [
    "an error that the contract does not declare",
    "{ \"user.create\": ({ email }) => Effect.fail(new Undeclared({ email })), ...rest }",
    "\"user.create\"",
    /Undeclared error of user\.create: declare it in the contract, or map it to RetryLater or Rejected/
  ],
  [
    "an error that the contract does not declare, where an effect builds the record",
    "Effect.succeed({ \"user.create\": () => Effect.fail(new Undeclared({ email: \"\" })), ...rest })",
    "Effect.succeed({ \"user.create\": () => Effect.fail(new Undeclared({ email: \"\" })), ...rest })",
    /Undeclared error of user\.create: declare it in the contract, or map it to RetryLater or Rejected/
  ],
  [
    "an error without a tag",
    "{ \"user.create\": () => Effect.fail(new Error(\"boom\")), ...rest }",
    "\"user.create\"",
    /Type 'Error' is not assignable to type .*Undeclared<"user\.create">/
  ],
  [
    "a success of another type",
    "{ \"user.create\": () => Effect.succeed({ userId: 1 }), ...rest }",
    "\"user.create\"",
    /Type 'number' is not assignable to type 'string'/
  ],
  [
    "a field that the payload does not have",
    "{ \"user.create\": ({ mail }) => Effect.succeed({ userId: mail }), ...rest }",
    "mail",
    /Property 'mail' does not exist on type '\{ readonly email: string;/
  ],
  [
    "a misspelt key",
    "{ \"user.create\": ({ email }) => Effect.succeed({ userId: email }), ...rest, \"user.remove\": () => Effect.void }",
    "\"user.remove\"",
    /not assignable to type '"No such action in the group: user\.remove"'/
  ],
  [
    "a missing handler, at the record",
    "{ \"user.create\": ({ email }) => Effect.succeed({ userId: email }), \"user.delete\": () => Effect.void }",
    "{ \"user.create\": ({ email }) => Effect.succeed({ userId: email }), \"user.delete\": () => Effect.void }",
    /"Missing handler: user\.update"/
  ]
]

const typeTests = readdirSync(dirname(import.meta.filename)).filter((name) => name.endsWith(".test-d.ts"))

describe("TypeScript 5.9", () => {
  let editor: Compiler.Editor

  beforeAll(() => {
    editor = Compiler.open({
      "test/right.ts": right,
      ...Object.fromEntries(wrong.map(([, record], i) => [`test/wrong${i}.ts`, wrongFile(record)])),
      ...Object.fromEntries(typeTests.map((name) => [join("test/unit", name), undefined]))
    })
    // The first question makes it read all files.
    assert.match(editor.version, /^5\.9\./)
    editor.diagnostics("test/right.ts")
  }, 300_000)

  it("compiles a program", () => {
    assert.deepStrictEqual(editor.diagnostics("test/right.ts"), [])
  })

  for (const name of typeTests) {
    it(`agrees with ${name}`, () => {
      assert.deepStrictEqual(editor.diagnostics(join("test/unit", name)), [])
    }, 300_000)
  }

  for (
    const [name, place, definedIn] of [
      ["makeWorker", "makeWorker(handlers)", "src/Worker.ts"],
      ["Worker.layer", "layer(handlers)", "src/Worker.ts"],
      ["Worker.start", "start(handlers)", "src/Worker.ts"],
      ["client.request", "request(CreateUser", "src/ActionClient.ts"],
      ["client.send", "send(CreateUser", "src/ActionClient.ts"],
      ["client.sendWithCallback", "sendWithCallback(", "src/ActionClient.ts"],
      ["UserActions.handlers", "handlers({", "src/ActionGroup.ts"],
      ["Action.make", "make(\"user.create\"", "src/Action.ts"],
      ["ActionGroup.make", "make(CreateUser", "src/ActionGroup.ts"]
    ] as const
  ) {
    it(`shows ${name} in less than 40 lines, with its documentation, and leads to its source`, () => {
      const hover = editor.hover("test/right.ts", place)
      assert.isBelow(hover.signature.split("\n").length, 40, hover.signature)
      assert.isBelow(hover.signature.length, 1_200, hover.signature)
      assert.isAbove(hover.documentation.length, 20)
      assert.strictEqual(hover.definedIn, definedIn)
    })
  }

  for (
    const [name, signature] of [
      [
        "program =",
        "const program: Effect.Effect<never, Worker.WorkerError | Action.InvalidOption, Db | Redis | QueueNaming | Settings>"
      ],
      [
        "workerLayer =",
        "const workerLayer: Layer<Worker.Worker, Worker.WorkerError | Action.InvalidOption, Db | Redis | QueueNaming | Settings>"
      ],
      [
        "plain =",
        "const plain: Effect.Effect<never, Worker.WorkerError | Action.InvalidOption, Redis | QueueNaming | Settings>"
      ]
    ] as const
  ) {
    it(`infers ${name.slice(0, -2)} in one line`, () => {
      assert.strictEqual(editor.hover("test/right.ts", name).signature, signature)
    })
  }

  wrong.forEach(([what, , underlined, message], i) => {
    it(`points to ${what}`, () => {
      const found = editor.diagnostics(`test/wrong${i}.ts`)
      assert.include(found.map(({ text }) => text), underlined, JSON.stringify(found))
      assert.match(found.find(({ text }) => text === underlined)!.message, message)
    })
  })
})
