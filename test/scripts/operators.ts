/** Random calls of the scripts that operators use, and of those of lanes. */
import { createHash } from "node:crypto"
import {
  listEntries,
  listParked,
  listRetries,
  lookAt,
  lookAtParked,
  overview,
  searchPending,
  searchStream
} from "../../src/internal/scripts/inspect.ts"
import {
  adopt,
  declareRule,
  heal,
  overrideRule,
  pauseLane,
  resumeLane,
  sendLaned
} from "../../src/internal/scripts/laneCalls.ts"
import { laneOf } from "../../src/internal/scripts/laneKeys.ts"
import { findLane, listQueued, readLanes, readNames } from "../../src/internal/scripts/laneReads.ts"
import { addStatistics, readStatistics } from "../../src/internal/scripts/statistics.ts"
import { buryEntry, buryParked, hasten, pause, removeEntries, unpause } from "../../src/internal/scripts/steer.ts"
import type { Command } from "../support/redisCommands.ts"
import { evaluate, step } from "./command.ts"
import type { World } from "./streams.ts"

const parkingIds = ["00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"] as const
const rules = ["1 - - wait continue - - -", "2 - - drop halt - - -", "1 5 1000000 wait continue - - -"] as const
const lanes = [laneOf("t:a.b", "k"), laneOf("n:all", "other")] as const
export const statisticsKeys = ["minute", "quarter"] as const
const counts = [
  "succeeded=1",
  "retried=3 17=2",
  "17=4294967295 18=1",
  "expired=9007199254740991",
  "",
  "?=1 =2 a=b"
] as const
const notes = { actionId: "a", actionType: "user.a", message: "moved by hand" }

const idIn = ({ chance, ids }: World): string => ids[chance.below(ids.length)]!

export const operatorCalls: Readonly<Record<string, (world: World) => Command>> = {
  overview: ({ names }) => evaluate(overview, names),
  listEntries: (world) =>
    evaluate(listEntries, {
      ...world.names,
      state: world.chance.pick<"waiting" | "running">(["waiting", "running"]),
      newest: world.chance.oneIn(2),
      cursor: world.chance.pick(["", "", idIn(world)]),
      limit: world.chance.pick([1, 3, 100]),
      head: world.chance.pick([0, 2, 1_000]),
      holder: world.chance.pick(["", "me", "you"])
    }),
  listRetries: ({ chance, names }) =>
    evaluate(listRetries, {
      ...names,
      score: chance.pick(["-inf", "5"]),
      member: "",
      limit: chance.pick([1, 100]),
      head: chance.pick([0, 1_000])
    }),
  listParked: ({ chance, names }) =>
    evaluate(listParked, {
      ...names,
      score: chance.pick(["-inf", "5"]),
      member: "",
      limit: chance.pick([1, 100]),
      head: chance.pick([0, 1_000])
    }),
  lookAt: (world) => evaluate(lookAt, { ...world.names, id: idIn(world), head: world.chance.pick([0, 1_000]) }),
  lookAtParked: ({ chance, names }) =>
    evaluate(lookAtParked, { ...names, parkingId: chance.pick(parkingIds), head: chance.pick([0, 1_000]) }),
  searchStream: (world) =>
    evaluate(searchStream, { ...world.names, text: "x", from: "-", cursor: "+", limit: world.chance.pick([1, 100]) }),
  searchPending: (world) =>
    evaluate(searchPending, {
      ...world.names,
      text: "x",
      before: idIn(world),
      cursor: world.chance.pick(["", idIn(world)]),
      limit: world.chance.pick([1, 100])
    }),
  removeEntries: (world) => evaluate(removeEntries, { ...world.names, ids: [idIn(world), idIn(world)] }),
  hasten: (world) => evaluate(hasten, { ...world.names, id: idIn(world) }),
  buryEntry: (world) => evaluate(buryEntry, { ...world.names, ...notes, id: idIn(world) }),
  buryParked: ({ chance, names }) => evaluate(buryParked, { ...names, ...notes, parkingId: chance.pick(parkingIds) }),
  pause: ({ chance, names }) =>
    evaluate(pause, {
      ...names,
      field: chance.pick(["*", "user.a"]),
      lasts: chance.pick([undefined, step]),
      reason: "maintenance"
    }),
  unpause: ({ chance, names }) => evaluate(unpause, { ...names, field: chance.pick(["*", "user.a"]) }),
  sendLaned: ({ chance, names }) =>
    evaluate(sendLaned, {
      ...names,
      uniqueKey: undefined,
      uniqueHash: "",
      within: 0,
      when: chance.pick(["", "", `+${step}`]),
      expiresIn: undefined,
      traceparent: undefined,
      rule: chance.pick(rules),
      actions: chance.times(3, () => ({ id: chance.pick(parkingIds), lane: chance.pick(lanes), text: "text" }))
    }),
  adopt: (world) =>
    evaluate(adopt, {
      ...world.names,
      consumer: world.chance.pick(["me", "you"]),
      retain: world.chance.oneIn(2),
      adopted: [{
        id: idIn(world),
        deliveries: world.chance.pick([1, 2]),
        lane: world.chance.pick(lanes),
        rule: world.chance.pick(rules),
        expires: ""
      }]
    }),
  heal: ({ names }) => evaluate(heal, { ...names, lanesAfter: "", placesAfter: "", confirmed: [] }),
  declareRule: ({ chance, names }) => evaluate(declareRule, { ...names, name: "t:a.b", rule: chance.pick(rules) }),
  overrideRule: ({ chance, names }) =>
    evaluate(overrideRule, { ...names, name: "t:a.b", rule: chance.pick(["", rules[1]]) }),
  pauseLane: ({ chance, names }) =>
    evaluate(pauseLane, { ...names, lane: chance.pick(lanes), millis: (1 + chance.below(100_000)) * step }),
  resumeLane: ({ chance, names }) => evaluate(resumeLane, { ...names, lane: chance.pick(lanes) }),
  readLanes: ({ chance, names }) =>
    evaluate(readLanes, {
      ...names,
      cursor: chance.pick(["", "1.0.0"]),
      stopped: chance.oneIn(3),
      limit: chance.pick([1, 100])
    }),
  readNames: ({ names }) => evaluate(readNames, names),
  listQueued: ({ chance, names }) =>
    evaluate(listQueued, {
      ...names,
      lane: chance.pick(["", ...lanes]),
      cursor: chance.below(2),
      limit: chance.pick([1, 100]),
      head: chance.pick([0, 1_000])
    }),
  findLane: ({ chance, names }) =>
    evaluate(findLane, {
      ...names,
      id: chance.pick(["0000000000000000", createHash("sha1").update(lanes[0]).digest("hex").slice(0, 16)]),
      cursor: chance.pick(["", "2.0"]),
      limit: chance.pick([1, 400])
    }),
  addStatistics: ({ chance }) =>
    evaluate(addStatistics, {
      mark: chance.pick(["mark", "mark", statisticsKeys[0]]),
      sequence: chance.below(3),
      markExpiry: 3 * step,
      minute: statisticsKeys[0],
      minuteExpiry: 2 * step,
      quarter: statisticsKeys[1],
      quarterExpiry: 4 * step,
      rows: chance.times(3, () => [chance.pick(["user.a", "user.b", "other"]), chance.pick(counts)] as const)
    }),
  readStatistics: () => evaluate(readStatistics, { periods: statisticsKeys })
}
