import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as DomainAction from "../../src/DomainAction.ts"
import * as entry from "../../src/internal/wire/entry.ts"
import { golden } from "../fixtures/index.ts"

const part = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))
const small = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_200 }))
const Id = Schema.Union([Schema.Tuple([part, small]), Schema.Tuple([small, small]), Schema.Tuple([small, part])])

const limits = DomainAction.defaultLimits

const request = golden("python/action-request.json")

const actionOf = (change: Partial<DomainAction.Input>): DomainAction.DomainAction =>
  DomainAction.make({
    action_id: "00000001-0000-4000-8000-000000000001",
    action_type: "user.create",
    timestamp: "2025-06-29T04:03:00.123456Z",
    data: {},
    callback_queue_name: "nooble4:dev:client:responses:user_create:1",
    ...change
  })

describe("entry", () => {
  describe("make", () => {
    it("finds data and traceparent among the fields", () => {
      const made = entry.make("5-1", ["a", "1", "traceparent", "00-1", "data", "{}"])
      assert.deepInclude(made, { id: "5-1", data: "{}", traceparent: "00-1", deliveries: 1, broken: false })
    })

    it("takes the first of several fields of one name", () => {
      assert.strictEqual(entry.make("1-1", ["data", "1", "data", "2"]).data, "1")
    })

    it("takes no value for a name", () => {
      const made = entry.make("1-1", ["other", "data", "more", "traceparent"])
      assert.strictEqual(made.data, undefined)
      assert.strictEqual(made.traceparent, undefined)
    })

    it("knows an entry without fields, as one that was deleted has", () => {
      assert.deepInclude(entry.make("1-1", []), { data: undefined, size: 0 })
    })

    it("tells empty data from none", () => {
      assert.strictEqual(entry.make("1-1", ["data", ""]).data, "")
    })

    it("counts the characters of all names and values", () => {
      assert.strictEqual(entry.make("1-1", ["data", "12345", "note", "678"]).size, 16)
    })

    it("keeps what is recorded of earlier runs", () => {
      const record = { attempts: 2, outcomes: 3, unknownSince: 4, first: "" }
      assert.deepInclude(entry.make("1-1", [], 7, record), { deliveries: 7, record })
    })
  })

  describe("ids", () => {
    it("tell the time of the server at which an entry was added", () => {
      assert.strictEqual(entry.millisOf("1750000000123-45"), 1_750_000_000_123)
    })

    it("are in order of time, then of sequence, as numbers", () => {
      const ids = ["0-1", "9-9", "9-10", "10-0", "10-2", "10-10", "99-1", "100-0", "1750000000000-0", "1750000000000-1"]
      for (const [i, a] of ids.entries()) {
        for (const [j, b] of ids.entries()) assert.strictEqual(entry.isBefore(a, b), i < j, `${a} ${b}`)
      }
    })

    it.prop("are in the order of their numbers", { a: Id, b: Id }, ({ a, b }) => {
      const before = a[0] < b[0] || (a[0] === b[0] && a[1] < b[1])
      assert.strictEqual(entry.isBefore(a.join("-"), b.join("-")), before)
    }, { arbitrary: { runs: 1_000 } })
  })

  describe("decode", () => {
    it("gives the action", () => {
      const decoded = entry.decode(entry.make("1-1", ["data", request]), limits)
      assert.deepStrictEqual(decoded, Result.succeed(Result.getOrThrow(DomainAction.parse(request))))
    })

    it("says what is wrong, and nothing of what stands in it", () => {
      const secret = "hunter2"
      const wrong: ReadonlyArray<readonly [entry: entry.Entry, message: RegExp]> = [
        [entry.make("1-1", ["other", secret]), /no field "data"/],
        [entry.withBroken(entry.make("1-1", ["data", request]), true), /not valid UTF-8/],
        [entry.make("1-1", ["data", `{"${secret}`]), /not JSON/],
        [entry.make("1-1", ["data", `{"data":"${secret}"}`]), /action_id/],
        [entry.make("1-1", ["data", `"${secret.repeat(1_000_000)}"`]), /larger than/]
      ]
      for (const [one, message] of wrong) {
        const decoded = entry.decode(one, limits)
        assert.isTrue(Result.isFailure(decoded))
        if (Result.isSuccess(decoded)) return
        assert.match(decoded.failure, message)
        assert.notInclude(decoded.failure, secret)
      }
    })
  })

  describe("deadlineOf", () => {
    const deadline = (metadata: DomainAction.DomainAction["metadata"], change: Partial<DomainAction.Input> = {}) =>
      entry.deadlineOf(entry.make("5000-3", []), actionOf({ metadata, ...change }), 6_000)

    it("is the time of the entry and the timeout of the request", () => {
      assert.strictEqual(deadline({ timeout_ms: 250 }), 5_250)
    })

    it("begins when an entry was first read whose id is ahead of the clock", () => {
      const action = actionOf({ metadata: { timeout_ms: 250 } })
      const record = { attempts: 1, outcomes: 1, unknownSince: 0, first: "", readAt: 4_000 }
      assert.strictEqual(entry.deadlineOf(entry.make("5000-3", []), action, 4_100), 4_350)
      assert.strictEqual(entry.deadlineOf(entry.make("5000-3", [], 2, record), action, 4_100), 4_250)
      assert.strictEqual(entry.deadlineOf(entry.make("5000-3", [], 2, record), action, 6_000), 4_250)
      // Nobody is to have more time than from now on.
      assert.strictEqual(entry.deadlineOf(entry.make("18446744073709551615-1", [], 2), action, 4_100), 4_350)
    })

    it("is none without a timeout that makes sense", () => {
      for (const timeout of [undefined, null, "250", 0, -1, Number.NaN, [250], { ms: 250 }, true]) {
        assert.strictEqual(deadline({ timeout_ms: timeout }), undefined, JSON.stringify(timeout))
      }
      assert.strictEqual(deadline(null), undefined)
      assert.strictEqual(deadline({}), undefined)
    })

    it("is none where nobody waits for a response", () => {
      assert.strictEqual(deadline({ timeout_ms: 250 }, { callback_queue_name: null }), undefined)
      assert.strictEqual(deadline({ timeout_ms: 250 }, { callback_action_type: "client.created" }), undefined)
    })
  })
})

describe("an entry that was never read", () => {
  it("keeps its counts, and is told apart from a malformed one", () => {
    const unread = entry.unread("1-0", 7, { attempts: 1, outcomes: 2, unknownSince: 0, first: "" }, "3")
    assert.deepInclude(unread, { id: "1-0", data: undefined, deliveries: 7, replays: 3, size: 0 })
    assert.strictEqual(unread.record.outcomes, 2)
    assert.strictEqual(entry.decode(unread, limits), entry.notRead)
    assert.notStrictEqual(entry.decode(entry.make("1-0", ["other", "x"]), limits), entry.notRead)
  })

  it("takes no count of replays that is not one", () => {
    const record = { attempts: 0, outcomes: 0, unknownSince: 0, first: "" }
    for (const replays of ["", "-1", "1e3", "x", "9".repeat(30)]) {
      assert.strictEqual(entry.unread("1-0", 1, record, replays).replays, 0)
    }
  })
})
