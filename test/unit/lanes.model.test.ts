/**
 * Random sends, deliveries, ends, retries, crashes, takeovers, deletions, cancels, pauses and changes of limits, against a model in
 * plain data. What fails is made smaller before it is reported.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { namesOf } from "../../src/internal/redis/names.ts"
import { entries, streamEntries, strings } from "../../src/internal/redis/reply.ts"
import {
  decodeHealed,
  heal,
  overrideRule,
  pauseLane,
  resumeLane,
  sendLaned
} from "../../src/internal/scripts/laneCalls.ts"
import { laneOf } from "../../src/internal/scripts/laneKeys.ts"
import { declareFeatures, decodeParked, unpark } from "../../src/internal/scripts/park.ts"
import type { LibraryScript } from "../../src/internal/scripts/script.ts"
import { settle, targetOf } from "../../src/internal/scripts/settle.ts"
import { removeEntries } from "../../src/internal/scripts/steer.ts"
import { decodeTake, takeDue } from "../../src/internal/scripts/take.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as RedisMemory from "../../src/RedisMemory.ts"
import { chanceOf } from "../scripts/chance.ts"

const lease = 1_000
const consumers = ["one", "two"] as const
const lanes = ["a", "b", "c"].map((key) => laneOf("t:w.s", key))

// -----------------------------------------------------------------------------
// what happens
// -----------------------------------------------------------------------------

type Step =
  | { readonly do: "send"; readonly lane: number; readonly count: number; readonly delay: number }
  | { readonly do: "read"; readonly by: number; readonly count: number }
  | { readonly do: "end"; readonly which: number; readonly how: "ack" | "dead" | "retry" | "pause" }
  /** A delivery that was taken over is ended by the one that lost it. */
  | { readonly do: "endLost"; readonly which: number }
  | { readonly do: "takeOver"; readonly which: number; readonly by: number }
  | { readonly do: "due"; readonly by: number }
  | { readonly do: "heal" }
  | { readonly do: "delete"; readonly which: number }
  | { readonly do: "cancel"; readonly which: number }
  | { readonly do: "limit"; readonly places: number }
  | { readonly do: "pauseLane" | "resume"; readonly lane: number }
  | { readonly do: "wait"; readonly millis: number }

const drawn = (seed: number, length: number): ReadonlyArray<Step> => {
  const chance = chanceOf(seed)
  const lane = () => chance.below(lanes.length)
  const which = () => chance.below(20)
  const by = () => chance.below(consumers.length)
  return chance.times(length, (): Step => {
    const kind = chance.below(40)
    if (kind < 10) return { do: "send", lane: lane(), count: 1 + chance.below(3), delay: chance.oneIn(6) ? 150 : 0 }
    if (kind < 16) return { do: "read", by: by(), count: 1 + chance.below(4) }
    if (kind < 23) {
      return { do: "end", which: which(), how: chance.pick(["ack", "ack", "ack", "dead", "retry", "pause"]) }
    }
    if (kind < 24) return { do: "endLost", which: which() }
    if (kind < 25) return { do: "takeOver", which: which(), by: by() }
    if (kind < 29) return { do: "due", by: by() }
    if (kind < 30) return { do: "heal" }
    if (kind < 31) return { do: "delete", which: which() }
    if (kind < 32) return { do: "cancel", which: which() }
    if (kind < 33) return { do: "limit", places: chance.below(4) }
    if (kind < 34) return { do: chance.pick(["pauseLane", "resume", "resume"]), lane: lane() }
    return { do: "wait", millis: 1 + chance.below(120) }
  })
}

// -----------------------------------------------------------------------------
// the world and its model
// -----------------------------------------------------------------------------

interface Held {
  readonly entry: string
  readonly lane: string
  readonly id: string
  by: string
  deliveries: number
}

interface Variant {
  readonly name: string
  readonly places: number
  readonly limit?: number
  readonly period?: number
  readonly halts?: boolean
  readonly allPlaces?: number
  readonly allLimit?: number
}

const ruleOf = ({ allLimit, allPlaces, halts, limit, period, places }: Variant): string =>
  [
    places,
    limit ?? "-",
    limit === undefined ? "-" : period,
    "wait",
    halts === true ? "halt" : "continue",
    allPlaces ?? "-",
    allLimit ?? "-",
    allLimit === undefined ? "-" : period
  ].join(" ")

/** Starts are spread: in no window more than the limit, and what the time of the window gives. */
const overRate = (starts: ReadonlyArray<number>, limit: number, period: number): boolean =>
  starts.some((from, i) => starts.slice(i).some((to, j) => j + 1 > limit + Math.ceil(((to - from) * limit) / period)))

const run = Effect.fnUntraced(function*(variant: Variant, steps: ReadonlyArray<Step>) {
  const names = namesOf(QueueNaming.make({ prefix: "p", environment: "test" }), "w")
  const redis = yield* RedisMemory.makeClient(yield* RedisMemory.makeServer)
  const call = <P>({ script }: LibraryScript<P>, params: P) => redis.eval(script)(params)
  yield* redis.send("XGROUP", "CREATE", names.stream, names.group, "0", "MKSTREAM")
  yield* call(declareFeatures, { features: names.features, names: ["parked", "unique", "lanes"] })
  const rule = ruleOf(variant)
  const wrong: Array<string> = []
  let places = variant.places
  let now = 0
  let next = 0
  /** Ids by lane, in the order in which they were accepted to wait. Those that were delayed join as they like. */
  const queues = new Map<string, Array<string>>(lanes.map((lane) => [lane, []]))
  const delayed = new Set<string>()
  const laneOfId = new Map<string, string>()
  const ended = new Map<string, string>()
  const admitted = new Map<string, string>()
  const starts = new Map<string, Array<number>>(lanes.map((lane) => [lane, []]))
  const held: Array<Held> = []
  const lost: Array<Held> = []
  /** Places whose entries others removed, and when a sweep has first seen them. */
  const removed = new Set<string>()
  const doubts = new Map<string, number>()
  const stopped = new Map<string, number>()
  let before = new Map<string, number>()

  const idOf = (text: string) => /"action_id":"([^"]+)"/.exec(text)?.[1] ?? ""
  const started = (lane: string) => starts.get(lane)!.push(now)

  /** Compares what is in Redis with the model. `what` is the step that was made. */
  const look = Effect.fnUntraced(function*(what: string) {
    const fail = (text: string) => wrong.push(`${what}: ${text}`)
    const places_ = strings(yield* redis.send("ZRANGE", names.lanesHeld, "0", "-1"))
    const stream = entries(yield* redis.send("XRANGE", names.stream, "-", "+"))
    const count = new Map<string, number>()
    for (const place of places_) {
      const lane = place.slice(0, place.lastIndexOf("\0"))
      count.set(lane, (count.get(lane) ?? 0) + 1)
      const id = place.slice(place.lastIndexOf("\0") + 1)
      if (!stream.some(([entry]) => entry === id) && !removed.has(id)) {
        fail(`a place of ${id}, which is not in the stream`)
      }
    }
    const came: Array<readonly [entry: string, lane: string, id: string]> = []
    for (const [entry, all] of stream) {
      const fields = strings(all)
      const lane = fields[fields.indexOf("lane") + 1]!
      if (!places_.includes(`${lane}\0${entry}`)) fail(`no place of ${entry}`)
      if (!admitted.has(entry)) came.push([entry, lane, idOf(fields[1]!)])
    }
    for (const [entry, lane, id] of came) {
      admitted.set(entry, id)
      started(lane)
      const queue = queues.get(lane)!
      if (!delayed.delete(id) || queue.includes(id)) {
        const first = queue.findIndex((other) => !ended.has(other))
        if (queue[first] !== id) fail(`${id} came before ${queue[first]}`)
        queue.splice(0, first + 1)
      }
      if ((stopped.get(lane) ?? 0) > now) fail(`${id} came although its lane is stopped`)
      if (count.get(lane)! > places) fail(`${count.get(lane)} hold ${lane}, and ${places} may`)
    }
    const all = count.get("t:w.s\0") ?? 0
    if (variant.allPlaces !== undefined && all > variant.allPlaces && all > (before.get("t:w.s\0") ?? 0)) {
      fail(`${all} hold all, and ${variant.allPlaces} may`)
    }
    if (variant.limit !== undefined) {
      for (const [lane, times] of starts) {
        if (overRate(times, variant.limit, variant.period!)) fail(`rate of ${lane}: ${times.join()}`)
      }
    }
    if (variant.allLimit !== undefined) {
      const times = [...starts.values()].flat().toSorted((a, b) => a - b)
      if (overRate(times, variant.allLimit, variant.period!)) fail(`rate of all: ${times.join()}`)
    }
    before = count
  })

  const finish = (one: Held, how: string) => {
    held.splice(held.indexOf(one), 1)
    if (ended.has(one.id)) wrong.push(`${one.id} ended twice: ${ended.get(one.id)} and ${how}`)
    ended.set(one.id, how)
  }

  const settled = Effect.fnUntraced(function*(one: Held, how: "ack" | "dead" | "retry" | "pause") {
    const waits = how === "retry" || how === "pause"
    yield* call(settle, {
      target: targetOf(names, one.by, false),
      firstId: one.entry,
      lastId: one.entry,
      acknowledged: [],
      entries: [{
        id: one.entry,
        deliveries: one.deliveries,
        push: undefined,
        wait: waits ? { delay: 20, record: "1 1 0 0" } : undefined,
        dead: how === "dead",
        notes: how === "dead" ? ["reason", "rejected"] : undefined
      }],
      leaving: how === "retry"
        ? []
        : [{ id: one.entry, lane: one.lane, gaveUp: how === "dead", pause: how === "pause" ? 80 : undefined }]
    })
  })

  const due = Effect.fnUntraced(function*(by: string) {
    const { taken } = decodeTake(
      yield* call(takeDue, {
        ...names,
        consumer: by,
        aloneConsumer: by,
        suspectAfter: 1_000,
        limit: 10,
        budget: 1_000_000
      })
    )
    for (const { deliveries, fields, id } of taken) {
      const lane = fields[fields.indexOf("lane") + 1]!
      started(lane)
      held.push({ entry: id, lane, id: idOf(fields[1]!), by, deliveries })
    }
  })

  const read = Effect.fnUntraced(function*(by: string, count: number) {
    const reply = yield* redis.send(
      "XREADGROUP",
      "GROUP",
      names.group,
      by,
      "COUNT",
      String(count),
      "STREAMS",
      names.stream,
      ">"
    )
    for (const [entry, fields] of streamEntries(reply)) {
      const lane = String(fields?.[(fields.indexOf("lane")) + 1])
      held.push({ entry, lane, id: idOf(String(fields?.[1])), by, deliveries: 1 })
    }
  })

  const sweep = Effect.fnUntraced(function*() {
    const confirmed = [...doubts].filter(([, since]) => now - since >= lease).map(([place]) => place)
    const healed = decodeHealed(yield* call(heal, { ...names, lanesAfter: "", placesAfter: "", confirmed }))
    for (const place of confirmed) doubts.delete(place)
    for (const place of healed.void) if (!doubts.has(place)) doubts.set(place, now)
  })

  const resume = (lane: string) => {
    stopped.delete(lane)
    return call(resumeLane, { ...names, lane })
  }

  const act = Effect.fnUntraced(function*(step: Step) {
    switch (step.do) {
      case "send": {
        const lane = lanes[step.lane]!
        const ids = Array.from(
          { length: step.count },
          () => `00000000-0000-4000-8000-${String(++next).padStart(12, "0")}`
        )
        const replies = decodeParked(
          yield* call(sendLaned, {
            ...names,
            uniqueKey: undefined,
            uniqueHash: "",
            within: 0,
            when: step.delay === 0 ? "" : `+${step.delay}`,
            expiresIn: undefined,
            traceparent: undefined,
            rule,
            actions: ids.map((id) => ({ id, lane, text: `{"action_id":"${id}"}` }))
          })
        )
        ids.forEach((id, index) => {
          laneOfId.set(id, lane)
          const reply = typeof replies === "string" ? replies : replies[index]?._tag
          if (reply === "Scheduled") delayed.add(id)
          else if (reply === "Sent" || reply === "Waiting") queues.get(lane)!.push(id)
          else wrong.push(`${id} was answered ${reply}`)
        })
        return
      }
      case "read":
        return yield* read(consumers[step.by]!, step.count)
      case "end": {
        const one = held[step.which % held.length]
        if (one === undefined) return
        yield* settled(one, step.how)
        if (step.how === "pause") stopped.set(one.lane, Math.max(stopped.get(one.lane) ?? 0, now + 80))
        if (step.how === "dead" && variant.halts === true) stopped.set(one.lane, Infinity)
        if (step.how === "ack" || step.how === "dead") finish(one, step.how)
        else held.splice(held.indexOf(one), 1)
        return
      }
      case "endLost": {
        const one = lost[step.which % lost.length]
        if (one !== undefined) yield* settled(one, "ack")
        return
      }
      case "takeOver": {
        const one = held[step.which % held.length]
        if (one === undefined) return
        const by = consumers[step.by]!
        lost.push({ ...one })
        yield* redis.send("XCLAIM", names.stream, names.group, by, "0", one.entry)
        one.by = by
        one.deliveries++
        return
      }
      case "due":
        return yield* due(consumers[step.by]!)
      case "heal":
        return yield* sweep()
      case "delete": {
        const one = held[step.which % held.length]
        if (one === undefined) return
        removed.add(one.entry)
        yield* redis.send("XACK", names.stream, names.group, one.entry)
        yield* redis.send("XDEL", names.stream, one.entry)
        return finish(one, "deleted")
      }
      case "cancel": {
        const waits = [...laneOfId.keys()].filter((id) => !ended.has(id) && !held.some((one) => one.id === id))
        const id = waits[step.which % waits.length]
        if (id === undefined) return
        const removedParked = yield* call(unpark, { ...names, uniqueKey: undefined, parkingId: id })
        if (Number(removedParked) === 1) return void ended.set(id, "cancelled")
        const entry = [...admitted].find(([, other]) => other === id)?.[0]
        if (entry === undefined) return void wrong.push(`${id} is nowhere`)
        const [state] = strings(yield* call(removeEntries, { ...names, ids: [entry] }))
        if (state === "waiting" || state === "retrying") ended.set(id, "cancelled")
        else wrong.push(`${id} is ${state}`)
        return
      }
      case "limit":
        places = step.places === 0 ? variant.places : step.places
        yield* call(overrideRule, {
          ...names,
          name: "t:w.s",
          rule: step.places === 0 ? "" : `${step.places} - - - - - - -`
        })
        return
      case "pauseLane": {
        const lane = lanes[step.lane]!
        yield* call(pauseLane, { ...names, lane, millis: 100 })
        stopped.set(lane, Math.max(stopped.get(lane) ?? 0, now + 100))
        return
      }
      case "resume":
        return yield* resume(lanes[step.lane]!)
      case "wait":
        yield* TestClock.adjust(step.millis)
        now += step.millis
        return
    }
  })

  for (const [index, step] of steps.entries()) {
    yield* act(step)
    yield* look(`${index} ${JSON.stringify(step)}`)
    if (wrong.length > 0) return wrong
  }
  // Everything that may still happen happens.
  const left = Effect.gen(function*() {
    const sizes: Array<number> = []
    for (const key of [names.lanesHeld, names.lanesWaiting, names.parkedDue]) {
      sizes.push(Number(yield* redis.send("ZCARD", key)))
    }
    sizes.push(Number(yield* redis.send("HLEN", names.parkedEntries)), Number(yield* redis.send("XLEN", names.stream)))
    return sizes
  })
  for (const lane of lanes) yield* resume(lane)
  for (let turn = 0; turn < 600 && (yield* left).some((size) => size > 0); turn++) {
    if (variant.halts === true) { for (const lane of lanes) yield* resume(lane) }
    yield* due("one")
    yield* read("one", 10)
    for (let one = held[0]; one !== undefined; one = held[0]) {
      yield* settled(one, "ack")
      finish(one, "ack")
    }
    yield* sweep()
    yield* look(`at the end, turn ${turn}`)
    if (wrong.length > 0) return wrong
    yield* TestClock.adjust(100)
    now += 100
  }
  const sizes = yield* left
  if (sizes.some((size) => size > 0)) wrong.push(`left are ${sizes.join()} held, waiting, due, records and entries`)
  for (const id of laneOfId.keys()) if (!ended.has(id)) wrong.push(`${id} is lost`)
  if (Number(yield* redis.send("ZCARD", names.lanesStopped)) > 0 && variant.halts !== true) {
    wrong.push("a lane is stopped")
  }
  return wrong
})

// -----------------------------------------------------------------------------
// shrinking
// -----------------------------------------------------------------------------

/** The steps without those that are not needed to fail: halves first, then ever smaller parts. */
const smaller = Effect.fnUntraced(function*(variant: Variant, failing: ReadonlyArray<Step>) {
  let steps = failing
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < steps.length;) {
      const without = steps.toSpliced(at, size)
      if ((yield* Effect.scoped(run(variant, without))).length > 0) steps = without
      else at += size
    }
  }
  return steps
})

const variants: ReadonlyArray<Variant> = [
  { name: "one at a time", places: 1 },
  { name: "two at a time that halt at a dead letter", places: 2, halts: true },
  { name: "three at a time, at a rate", places: 3, limit: 4, period: 200 },
  { name: "one at a time, two of all keys", places: 1, allPlaces: 2 },
  { name: "two at a time, three of all keys, at rates", places: 2, limit: 5, period: 300, allPlaces: 3, allLimit: 8 }
]

const seeds = Number(process.env["LANES_MODEL_SEEDS"] ?? 25)
const firstSeed = Number(process.env["LANES_MODEL_FROM"] ?? 1)

describe("lanes and their model", () => {
  for (const [index, variant] of variants.entries()) {
    it.effect(
      `agree on order, places, rates and what is left, ${variant.name} (${seeds} random stories)`,
      () =>
        Effect.gen(function*() {
          for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
            const steps = drawn(seed * 100 + index, 80)
            const wrong = yield* Effect.scoped(run(variant, steps))
            if (wrong.length === 0) continue
            const least = yield* smaller(variant, steps)
            const why = yield* Effect.scoped(run(variant, least))
            assert.fail(
              `seed ${seed}: ${why.join("; ")} after\n${least.map((step) => JSON.stringify(step)).join("\n")}`
            )
          }
        }),
      120_000
    )
  }
})
