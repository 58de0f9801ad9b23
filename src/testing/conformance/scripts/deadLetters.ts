import * as Effect from "effect/Effect"
import {
  countLetters,
  readLetter,
  scanLetters,
  type ScanParams,
  surveyLetters
} from "../../../internal/scripts/deadLetter.ts"
import { boundLetters, redeliverAnswer, replayLetters } from "../../../internal/scripts/deadLetterMoves.ts"
import {
  type Case,
  cases,
  elementsOf,
  entriesOf,
  holds,
  key,
  Place,
  same,
  send,
  serverTime,
  type Test
} from "../case.ts"
import { evaluate } from "./setup.ts"

interface Letter {
  readonly reason?: string
  readonly type?: string
  readonly error?: string
  readonly answer?: string
  readonly hops?: number
  readonly fields?: ReadonlyArray<string>
}

/** The fields of a dead letter, as the settlement writes them. */
const letter = (
  { answer, error, fields = ["data", "{}"], hops, reason = "rejected", type = "user.create" }: Letter
) => [
  "action_type",
  type,
  "reason",
  reason,
  ...error === undefined ? [] : ["error_type", error],
  ...hops === undefined ? [] : ["hops", String(hops)],
  ...answer === undefined ? [] : ["undeliverable", "WRONGTYPE", "answer", answer],
  "entry_id",
  "1-1",
  "fields",
  String(fields.length / 2),
  ...fields
]

/** Adds letters `1-0`, `2-0` and so on. */
const write = Effect.fnUntraced(function*(...letters: ReadonlyArray<Letter | ReadonlyArray<string>>) {
  const { names } = yield* Place
  for (const [index, next] of letters.entries()) {
    yield* send("XADD", names.deadLetters, `${index + 1}-0`, ...("length" in next ? next : letter(next)))
  }
  return names.deadLetters
})

const netstrings = (values: ReadonlyArray<string>): string =>
  values.map((value) => `${new TextEncoder().encode(value).length}:${value},`).join("")

const everything = {
  reverse: false,
  from: "-",
  to: "+",
  reasons: [],
  actionTypes: [],
  errorTypes: [],
  scanLimit: 1_000,
  limit: 1_000,
  budget: 1_000_000,
  dataLimit: -1
}

const array = (reply: unknown): ReadonlyArray<unknown> => Array.isArray(reply) ? reply : []

const scanned = Effect.fnUntraced(function*(change: Partial<ScanParams>) {
  const { names } = yield* Place
  const [letters, last] = array(
    yield* evaluate(scanLetters, { deadLetters: names.deadLetters, ...everything, ...change })
  )
  return { letters: array(letters).map(array), ids: array(letters).map((row) => array(row)[0]), last }
})

const readOne = Effect.fnUntraced(function*(id: string) {
  const { names } = yield* Place
  return yield* evaluate(readLetter, { deadLetters: names.deadLetters, id })
})

const size = (fields: ReadonlyArray<string>) =>
  fields.reduce((sum, field) => sum + new TextEncoder().encode(field).length, 0)

const readingCases = (test: Test): void => {
  test("scanLetters finds letters in either order, from and to an id", () =>
    Effect.gen(function*() {
      yield* write({}, {}, {}, {})
      const found = (change: Partial<ScanParams>) => Effect.map(scanned(change), ({ ids }) => ids)
      same("all", yield* found({}), ["1-0", "2-0", "3-0", "4-0"])
      same("newest first", yield* found({ reverse: true }), ["4-0", "3-0", "2-0", "1-0"])
      same("between", yield* found({ from: "(1-0", to: "3-0" }), ["2-0", "3-0"])
      same("between, newest first", yield* found({ reverse: true, from: "2-0", to: "(4-0" }), ["3-0", "2-0"])
      same("where to go on", (yield* scanned({})).last, "")
    }))

  test("scanLetters filters by reason, action type and error type; what it does not know is other", () =>
    Effect.gen(function*() {
      yield* write(
        { reason: "poison" },
        { reason: "novel" },
        { type: "user.update", error: "Odd" },
        { error: "Odd" },
        ["no", "letter"]
      )
      const found = (change: Partial<ScanParams>) => Effect.map(scanned(change), ({ ids }) => ids)
      same("by reason", yield* found({ reasons: ["poison", "rejected"] }), ["1-0", "3-0", "4-0"])
      same("other", yield* found({ reasons: ["other"] }), ["2-0", "5-0"])
      same("by type", yield* found({ actionTypes: ["user.create"] }), ["1-0", "2-0", "4-0"])
      same("by error", yield* found({ errorTypes: ["Odd"] }), ["3-0", "4-0"])
      same("by all", yield* found({ reasons: ["rejected"], actionTypes: ["user.create"], errorTypes: ["Odd"] }), [
        "4-0"
      ])
    }))

  test("the first note of a name counts: what follows the notes is the sender's", () =>
    Effect.gen(function*() {
      const fields = ["reason", "poison", "action_type", "a.b"]
      yield* write(["reason", "rejected", ...letter({ reason: "poison", fields })], letter({ fields }))
      const found = (change: Partial<ScanParams>) => Effect.map(scanned(change), ({ ids }) => ids)
      same("by reason", yield* found({ reasons: ["rejected"] }), ["1-0", "2-0"])
      same("by another reason", yield* found({ reasons: ["poison"] }), [])
      same("by type", yield* found({ actionTypes: ["a.b"] }), [])
    }))

  test("scanLetters ends at each of its limits and says where to go on", () =>
    Effect.gen(function*() {
      yield* write(...Array.from({ length: 40 }, (_, n) => ({ reason: n % 2 === 0 ? "poison" : "rejected" })))
      const bytes = size(letter({}))
      const found = (change: Partial<ScanParams>) =>
        Effect.map(scanned({ reasons: ["rejected"], ...change }), ({ ids, last }) => [ids.length, last])
      same("looked at", yield* found({ scanLimit: 20 }), [10, "20-0"])
      same("found", yield* found({ limit: 3 }), [3, "6-0"])
      same("bytes", yield* found({ budget: bytes }), [1, "2-0"])
      same("going on", yield* found({ from: "(20-0" }), [10, ""])
      same("going on backwards", yield* found({ reverse: true, to: "(20-0", limit: 2 }), [2, "16-0"])
    }))

  test("scanLetters returns size and notes of a letter, never its answer, and data within a limit", () =>
    Effect.gen(function*() {
      const first = letter({ answer: "{\"secret\":1}", fields: ["trace", "1", "data", "ß\uFFFD"] })
      const packed = ["a", "1", "data", "ü€"]
      const second = [
        ...letter({}).slice(0, -4),
        "fields",
        "2",
        "packed",
        netstrings(packed)
      ]
      yield* write(first, second, letter({ fields: ["other", "1"] }))
      const { letters } = yield* scanned({ dataLimit: 10 })
      const notes = first.slice(0, first.indexOf("fields") + 2)
      same("the first", letters[0], [
        "1-0",
        size(first),
        notes.map((text, index) => notes[index - 1] === "answer" ? "" : text),
        ["d", "ß\uFFFD", 1]
      ])
      same("a packed one", letters[1]?.[3], ["d", "ü€", 0])
      same("one without data", letters[2]?.[3], ["-", "", 0])
      same("too large", (yield* scanned({ dataLimit: 4 })).letters.map((row) => row[3]), [
        ["l", "5", 0],
        ["l", "5", 0],
        ["-", "", 0]
      ])
      same("left out", (yield* scanned({})).letters.map((row) => row[3]), [[], [], []])
    }))

  test("countLetters counts by reason, action type and error type", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      yield* write({ reason: "poison" }, {}, { error: "Odd" }, {}, ["no", "letter"], { reason: "poison", type: "a.b" })
      const counted = (change: Partial<ScanParams>) =>
        evaluate(countLetters, { deadLetters: names.deadLetters, ...everything, ...change })
      same("all", yield* counted({}), [
        [
          ["poison", "user.create", "", 1, "1-0", "1-0"],
          ["rejected", "user.create", "", 2, "2-0", "4-0"],
          ["rejected", "user.create", "Odd", 1, "3-0", "3-0"],
          ["other", "", "", 1, "5-0", "5-0"],
          ["poison", "a.b", "", 1, "6-0", "6-0"]
        ],
        ""
      ])
      same("a part", yield* counted({ reasons: ["rejected"], scanLimit: 3 }), [
        [["rejected", "user.create", "", 1, "2-0", "2-0"], ["rejected", "user.create", "Odd", 1, "3-0", "3-0"]],
        "3-0"
      ])
    }))

  test("surveyLetters returns time, number, first and last", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const [time, ...none] = array(yield* evaluate(surveyLetters, { deadLetters: names.deadLetters }))
      const now = yield* serverTime
      holds("the server's time", Number(time) > now - 60_000 && Number(time) <= now, time)
      same("without letters", none, [0, "", ""])
      yield* write({}, {}, {})
      same("with letters", array(yield* evaluate(surveyLetters, { deadLetters: names.deadLetters })).slice(1), [
        3,
        "1-0",
        "3-0"
      ])
    }))

  test("readLetter reads one letter whole, packed or not, and a foreign entry as it is", () =>
    Effect.gen(function*() {
      const plain = letter({ fields: ["a", "\uFFFD", "data", "\uFFFD\uFFFD", "data", "\uFFFD"] })
      const values = ["a", "1", "data", "ü€\u{1F600}"]
      const packed = [...letter({}).slice(0, -4), "fields", "2", "packed", netstrings(values)]
      const broken = [...letter({}).slice(0, -4), "fields", "2", "packed", "9:a,"]
      yield* write(plain, packed, broken, ["no", "letter"])
      same("plain", yield* readOne("1-0"), [size(plain), plain.slice(0, -6), plain.slice(-6), 4, 2])
      same("packed", yield* readOne("2-0"), [size(packed), packed.slice(0, -2), values, 0, 0])
      same("broken", yield* readOne("3-0"), [size(broken), [], broken, 0, 0])
      same("none", yield* readOne("4-0"), [8, [], ["no", "letter"], 0, 0])
      same("missing", yield* readOne("9-0"), [])
    }))
}

const movingCases = (test: Test): void => {
  const replayed = Effect.fnUntraced(function*(
    ids: ReadonlyArray<string>,
    change: { readonly maxHops?: number; readonly budget?: number } = {}
  ) {
    const { names } = yield* Place
    return array(
      yield* evaluate(replayLetters, {
        ...names,
        maxHops: 3,
        budget: 1_000_000,
        ids,
        ...change
      })
    )
  })

  test("replayLetters puts the entry of a letter back, as it was, with the number of its replays", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const fields = ["data", "ß€😀", "traceparent", "00-1-2-01", "data", ""]
      yield* write({ fields }, { hops: 1, fields: [...fields, "replays", "1"] })
      const [first, firstId, second, secondId] = yield* replayed(["1-0", "2-0"])
      same("statuses", [first, second], ["replayed", "replayed"])
      same("entries", yield* entriesOf(names.stream), [
        [firstId, [...fields, "replays", "1"]],
        [secondId, [...fields, "replays", "2"]]
      ])
      same("letters left", yield* send("XLEN", names.deadLetters), 0)
      same("again", yield* replayed(["1-0"]), ["missing", ""])
    }))

  test("replayLetters leaves letters with too many hops, foreign entries, and entries with too many fields", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const wide = Array.from({ length: 4_000 }, (_, n) => [`n${n}`, "1"]).flat()
      yield* write(
        { hops: 3 },
        ["no", "letter"],
        [...letter({}).slice(0, -4), "fields", "4000", "packed", netstrings(wide)],
        { fields: [] }
      )
      same("statuses", yield* replayed(["1-0", "2-0", "3-0", "4-0"]), [
        "hops",
        "3",
        "foreign",
        "",
        "wide",
        "4000",
        "foreign",
        ""
      ])
      same("entries", yield* send("EXISTS", names.stream), 0)
      same("letters left", yield* send("XLEN", names.deadLetters), 4)
      same("all the same", (yield* replayed(["1-0"], { maxHops: -1 }))[0], "replayed")
    }))

  test("replayLetters ends beyond its budget, and at a stream that cannot be written", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      yield* write({}, {}, {}, {})
      same("beyond", (yield* replayed(["1-0", "2-0"], { budget: 1 })).length, 2)
      yield* send("DEL", names.stream)
      yield* send("SET", names.stream, "1")
      const [status, words, ...rest] = yield* replayed(["2-0", "3-0"])
      same("status", [status, rest], ["failed", []])
      holds("why", /WRONGTYPE/.test(String(words)), words)
      same("letters left", yield* send("XLEN", names.deadLetters), 3)
    }))

  const redelivered = Effect.fnUntraced(function*(
    id: string,
    target: string,
    kind: "list" | "stream" = "list",
    timeToLive = 60_000,
    atLeast = false
  ) {
    const { names } = yield* Place
    const deadLetters = names.deadLetters
    return array(yield* evaluate(redeliverAnswer, { deadLetters, target, kind, timeToLive, atLeast, id }))
  })

  test("redeliverAnswer only ever puts off the expiry of a callback list", () =>
    Effect.gen(function*() {
      const [list, longer] = [yield* key("list"), yield* key("answers")]
      yield* send("LPUSH", longer, "earlier")
      yield* send("PEXPIRE", longer, 500_000)
      const notes = { reason: "undeliverable", answer: "{}" }
      yield* write(notes, notes)
      same("to a new list", yield* redelivered("1-0", list, "list", 60_000, true), ["delivered", ""])
      // With GT it is changed only where the list lives for less.
      same("lives for 30 seconds", yield* send("PEXPIRE", list, 30_000, "GT"), 0)
      same("lives for no more than a minute", yield* send("PEXPIRE", list, 60_001, "GT"), 1)
      same("to a list that lives longer", yield* redelivered("2-0", longer, "list", 60_000, true), ["delivered", ""])
      same("that one lives on", yield* send("PEXPIRE", longer, 400_000, "GT"), 0)
    }))

  test("redeliverAnswer pushes the answer and removes a letter that was only about it", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const [list, stream] = [yield* key("list"), yield* key("answers")]
      yield* send("LPUSH", list, "earlier")
      yield* write({ reason: "undeliverable", answer: "{\"n\":1}" }, { reason: "undeliverable", answer: "{\"n\":2}" })
      same("to a list", yield* redelivered("1-0", list), ["delivered", ""])
      same("the list", yield* elementsOf(list), ["{\"n\":1}", "earlier"])
      same("to a stream", yield* redelivered("2-0", stream, "stream"), ["delivered", ""])
      same("the stream", (yield* entriesOf(stream)).map(([, fields]) => fields), [["data", "{\"n\":2}"]])
      same("letters left", yield* send("XLEN", names.deadLetters), 0)
    }))

  test("redeliverAnswer keeps a letter that has a reason of its own, without the answer", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const list = yield* key("list")
      const fields = ["data", "{}", "answer", "the sender's"]
      yield* write({ reason: "poison", answer: "{\"n\":1}", fields })
      const [status, kept] = yield* redelivered("1-0", list, "list", 0)
      same("status", status, "delivered")
      same("what is kept", yield* entriesOf(names.deadLetters), [[String(kept), letter({ reason: "poison", fields })]])
      same("the list", yield* elementsOf(list), ["{\"n\":1}"])
    }))

  test("redeliverAnswer gives a list the given time to live, or none", () =>
    Effect.gen(function*() {
      const { pass } = yield* Place
      const [list, lasting] = [yield* key("list"), yield* key("lasting")]
      yield* write({ reason: "undeliverable", answer: "1" }, { reason: "undeliverable", answer: "2" })
      yield* redelivered("1-0", list, "list", 200)
      yield* redelivered("2-0", lasting, "list", 0)
      yield* pass("250 millis")
      same("lists left", yield* Effect.forEach([list, lasting], (name) => send("EXISTS", name)), [0, 1])
    }))

  test("redeliverAnswer refuses a key of another type, and reports letters without an answer", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const text = yield* key("text")
      yield* send("SET", text, "1")
      yield* write({ reason: "undeliverable", answer: "{}" }, {})
      same("to a text", yield* redelivered("1-0", text), ["refused", "WRONGTYPE the answer list holds a string"])
      same("without an answer", yield* redelivered("2-0", yield* key("list")), ["unanswered", ""])
      same("missing", yield* redelivered("9-0", yield* key("list")), ["missing", ""])
      same("letters left", yield* send("XLEN", names.deadLetters), 2)
      same("nothing is pushed", yield* send("EXISTS", yield* key("list")), 0)
    }))

  test("redeliverAnswer refuses an invalid time to live, and pushes nothing then", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const list = yield* key("list")
      yield* write({ reason: "undeliverable", answer: "{}" })
      for (const time of [-1, 0.5, 1e16, 1e21, Number.POSITIVE_INFINITY, Number.NaN]) {
        const refused = ["refused", `ERR no time to live: ${time}`]
        same(`${time}`, yield* redelivered("1-0", list, "list", time), refused)
      }
      same("nothing is pushed", yield* send("EXISTS", list), 0)
      same("letters left", yield* send("XLEN", names.deadLetters), 1)
    }))

  const bounded = Effect.fnUntraced(function*(change: {
    readonly maxCount?: number
    readonly maxAge?: number
    readonly limit?: number
  }) {
    const { names } = yield* Place
    const params = { deadLetters: names.deadLetters, maxCount: -1, maxAge: -1, limit: 1_000, ...change }
    return array(yield* evaluate(boundLetters, params)).map(Number)
  })

  test("boundLetters drops the oldest beyond a number, so many at a time", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      yield* write(...Array.from({ length: 30 }, () => ({})))
      same("within", (yield* bounded({ maxCount: 30 })).slice(0, 2), [0, 30])
      same("a part", (yield* bounded({ maxCount: 10, limit: 5 })).slice(0, 2), [5, 25])
      same("the rest", (yield* bounded({ maxCount: 10 })).slice(0, 2), [15, 10])
      same("ids", (yield* entriesOf(names.deadLetters))[0]?.[0], "21-0")
      same("no bound", (yield* bounded({})).slice(0, 2), [0, 10])
    }))

  test("boundLetters drops what is older than an age, exactly, so many at a time, and reports the age of the oldest", () =>
    Effect.gen(function*() {
      const { names } = yield* Place
      const now = yield* serverTime
      const hour = 3_600_000
      const add = (count: number, age: number) =>
        Effect.all(
          Array.from({ length: count }, (_, n) => send("XADD", names.deadLetters, `${now - age}-${n + 1}`, "a", "1")),
          { concurrency: "unbounded", discard: true }
        )
      yield* add(450, 2 * hour)
      yield* add(5, hour)
      const left: Array<number | undefined> = []
      for (let dropped = 1; dropped > 0;) {
        const [count = 0, rest, age = 0] = yield* bounded({ maxAge: 1.5 * hour, limit: 200 })
        holds(`${count} of at most 200 in one call`, count <= 200)
        holds(`age: ${age}`, age >= hour && age < (left.at(-1) === 5 ? 1 : 2) * hour + 60_000)
        dropped = count
        left.push(rest)
      }
      same("what is left in the end", left.at(-1), 5)
      holds("several calls", left.length > 3, left)
      yield* send("DEL", names.deadLetters)
      same("without letters", yield* bounded({ maxAge: hour, maxCount: 5 }), [0, 0, 0])
    }))
}

export const deadLetterCases: ReadonlyArray<Case> = cases("scripts: dead letters", (test) => {
  readingCases(test)
  movingCases(test)
})
