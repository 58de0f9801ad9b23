/**
 * The table of types on the page about migrating: each schema, as it is written there, reads what pydantic writes for its
 * row, and writes what pydantic reads.
 *
 * `UPDATE_FIXTURES=1` writes `ours-pydantic-types.json` anew instead of comparing it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { readFileSync, writeFileSync } from "node:fs"
import * as Action from "../../src/Action.ts"
import * as ActionGroup from "../../src/ActionGroup.ts"
import * as DomainAction from "../../src/DomainAction.ts"
import { validationDetail } from "../../src/internal/contract/validationDetail.ts"
import * as TestWorker from "../../src/testing/TestWorker.ts"
import { golden } from "../fixtures/index.ts"
import { rowsAfter } from "../support/markdown.ts"
import { codecOf } from "../support/typedCodec.ts"

interface Dumped {
  /** By `model_dump_json()`. */
  readonly json: string
  /** By `json.dumps(model_dump(mode="json"))`. */
  readonly dumps: string
}

// SAFETY: the recipe writes this shape.
const dumped = JSON.parse(golden("pydantic-types.json")) as Readonly<Record<string, ReadonlyArray<Dumped>>>
const oursFile = new URL("../fixtures/ours-pydantic-types.json", import.meta.url)

const page = readFileSync(new URL("../../docs/migrating-from-python.md", import.meta.url), "utf8")
const code = (cell: string | undefined) => (cell ?? "").replace(/^`(.*)`$/, "$1")

/** Each row: the type in Python, and the schema as it is written. */
const rows = rowsAfter(page, "\n## Types\n").map(([python, , schema]) => [code(python), code(schema)] as const)

const schemaOf = (source: string): Schema.Top => {
  // The page is a file of this repository, and its code is what is tested.
  // oxlint-disable-next-line typescript/no-implied-eval
  const make = new Function("Schema", "Action", "Effect", `return ${source}`) as (
    ...modules: ReadonlyArray<unknown>
  ) => Schema.Top
  return make(Schema, Action, Effect)
}

const contractOf = (source: string) => {
  const contract = Action.make("user.typed", { payload: { value: schemaOf(source) } })
  // SAFETY: none of the schemas of the table needs a service.
  return codecOf(contract) as unknown as {
    readonly decodePayload: (data: unknown) => Effect.Effect<{ readonly value: unknown }, Schema.SchemaError>
    readonly encodePayload: (payload: unknown) => Effect.Effect<Schema.JsonObject, Schema.SchemaError>
  }
}

const send = golden("python/action-send.json")
const parse = (data: string) => DomainAction.parse(send.replace("{\"user\":42}", data))

/** What the schema reads from the data of a message. */
const read = (source: string, data: string): unknown => {
  const action = parse(data)
  if (Result.isFailure(action)) return assert.fail(action.failure.text)
  const exit = Effect.runSyncExit(contractOf(source).decodePayload(action.success.data))
  if (Exit.isFailure(exit)) return assert.fail(`${source} refuses ${data}: ${String(exit.cause)}`)
  return exit.value.value
}

/** The data of a message with this value, as a client writes it. */
const write = (source: string, value: unknown): string => {
  const data = Effect.runSync(contractOf(source).encodePayload({ value }))
  const text = DomainAction.encode({ ...Result.getOrThrow(parse("{}")), data })
  return text.slice(text.indexOf("\"data\":") + "\"data\":".length, text.lastIndexOf(",\"metadata\":"))
}

const isNotFinite = (text: string) => /NaN|Infinity/.test(text)

describe("the table of types", () => {
  it("has a row for each type that pydantic was asked for, and no other", () => {
    assert.deepStrictEqual(rows.map(([python]) => python), Object.keys(dumped))
  })

  for (const [python, source] of rows) {
    const values = dumped[python] ?? []

    it(`${python}: ${source} reads all that pydantic writes, and the same in both of its forms`, () => {
      assert.isNotEmpty(values)
      for (const { dumps, json } of values) {
        const value = read(source, json)
        if (isNotFinite(dumps)) {
          const refused = parse(dumps)
          assert.match(Result.isFailure(refused) ? refused.failure.text : "", /it holds NaN or Infinity/)
        } else assert.deepStrictEqual(read(source, dumps), value)
      }
    })

    it(`${python}: ${source} reads what it writes`, () => {
      for (const { json } of values) {
        const text = write(source, read(source, json))
        assert.strictEqual(write(source, read(source, text)), text)
      }
    })
  }

  it("writes what pydantic was seen to read", () => {
    const ours = Object.fromEntries(
      rows.map(([python, source]) => [
        python,
        (dumped[python] ?? []).map(({ json }) => write(source, read(source, json)))
      ])
    )
    const text = `${JSON.stringify(ours, null, 2)}\n`
    if (process.env["UPDATE_FIXTURES"] !== undefined) writeFileSync(oursFile, text)
    assert.strictEqual(text, readFileSync(oursFile, "utf8"))
  })
})

describe("a value from pydantic", () => {
  const sourceOf = (python: string) => rows.find(([name]) => name === python)?.[1] ?? assert.fail(`no row ${python}`)
  const valuesOf = (python: string) => (dumped[python] ?? []).map(({ json }) => read(sourceOf(python), json))

  it("that is an int has every digit", () => {
    assert.deepStrictEqual(valuesOf("int"), [42n, 2n ** 53n + 1n, -(2n ** 53n) - 1n, 2n ** 63n - 1n, 10n ** 30n])
  })

  it("that is an int keeps every digit in data without a type", () => {
    assert.deepStrictEqual(valuesOf("Dict[str, Any]"), [
      { id: 2n ** 53n + 1n, list: [1, null, { deep: -(10n ** 30n) }] },
      {}
    ])
    const [any] = dumped["Dict[str, Any]"] ?? []
    const text = send.replace("{\"user\":42}", any?.json ?? "")
    assert.strictEqual(DomainAction.encode(Result.getOrThrow(DomainAction.parse(text))), text)
  })

  it("that is a naive datetime is taken as UTC whatever the time zone of the process is", () => {
    const zone = process.env["TZ"]
    process.env["TZ"] = "America/Argentina/Buenos_Aires"
    try {
      // SAFETY: the schema of the row gives a time.
      const [first] = valuesOf("datetime, naive") as ReadonlyArray<DateTime.Utc>
      assert.strictEqual(first === undefined ? "" : DateTime.formatIso(first), "2025-06-29T04:03:00.123Z")
      // Why the page says never.
      const local = read("Schema.Date", dumped["datetime, naive"]?.[0]?.json ?? "")
      assert.strictEqual(local instanceof Date ? local.toISOString() : "", "2025-06-29T07:03:00.123Z")
    } finally {
      if (zone === undefined) delete process.env["TZ"]
      else process.env["TZ"] = zone
    }
  })

  it("that is an aware datetime is the same instant whatever its offset is", () => {
    // SAFETY: the schema of the row gives times.
    const times = valuesOf("datetime, aware") as ReadonlyArray<DateTime.Utc>
    assert.deepStrictEqual(times.map(DateTime.formatIso), ["2025-06-29T04:03:00.123Z", "2025-06-29T02:03:00.123Z"])
  })

  it("that is unset may be absent, too", () => {
    const source = sourceOf("Optional[str] = None")
    assert.isUndefined(read(source, "{}"))
    assert.isNull(read(source, "{\"value\":null}"))
  })

  it("that has a default may be absent, too", () => {
    assert.strictEqual(read(sourceOf("int = 5"), "{}"), 5)
  })

  it("with another key is refused where pydantic forbids it, and kept where pydantic allows it", () => {
    const data = { value: { id: 1, other: 2 } }
    const closed = Effect.runSync(Effect.flip(contractOf(sourceOf("extra=\"forbid\"")).decodePayload(data)))
    assert.strictEqual(validationDetail(closed).message, "value.*: Unexpected key")
    assert.deepStrictEqual(Effect.runSync(contractOf(sourceOf("extra=\"allow\"")).decodePayload(data)), data)
    assert.deepStrictEqual(Effect.runSync(contractOf(sourceOf("BaseModel")).decodePayload(data)), { value: { id: 1 } })
  })
})

describe("the contract on the page", () => {
  it.effect("accepts what pydantic writes for an optional field that is not set", () =>
    Effect.gen(function*() {
      const source = /Action\.make\("user\.update", (\{[\s\S]*?\n {2}\})\)/.exec(page)?.[1] ??
        assert.fail("no contract")
      // oxlint-disable-next-line typescript/no-implied-eval
      const options = (new Function("Schema", `return ${source}`) as (module: unknown) => {
        readonly payload: Schema.Struct.Fields
      })(Schema)
      const Update = Action.make("user.update", options)
      const [unset] = dumped["Optional[str] = None"] ?? []
      const data = (unset?.json ?? "").replace("{\"value\":", "{\"user_id\":\"u1\",\"email\":")
      // SAFETY: the schemas of the page need no service.
      const handlers = ActionGroup.make(Update).handlers({ "user.update": () => Effect.void }) as ActionGroup.Handlers
      const action = { ...Result.getOrThrow(parse(data)), action_type: "user.update" }
      const report = yield* TestWorker.deliver(handlers, action)
      assert.strictEqual(report.settlement._tag, "Ack")
      assert.isTrue(Option.isNone(report.deadLetter))
    }))
})
