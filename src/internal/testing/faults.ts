/** Which command meets which fault. */
import * as Duration from "effect/Duration"
import type { Command, Fault, Injected, Matcher, Policy } from "../../testing/RedisFaults.ts"
import { generator } from "./generator.ts"

const matches = (matcher: Matcher | undefined, command: Command): boolean => {
  if (matcher === undefined) return true
  if (typeof matcher === "function") return matcher(command)
  return typeof matcher === "string" ? matcher.toUpperCase() === command.name : matcher.lua === command.lua
}

/** A seed depends on this order. */
const kinds = ["fail", "dropReply", "delayCommand", "delayReply", "repeat", "forgetScripts", "restartEmpty"] as const

const drawFault = (policy: Policy, random: () => number): Fault | undefined => {
  // Always two draws for each command, so that a fault does not shift those that follow.
  let chance = random()
  const share = random()
  const kind = kinds.find((kind) => (chance -= policy[kind] ?? 0) < 0)
  const delay = (of: "command" | "reply"): Fault => ({
    _tag: "Delay",
    duration: Duration.millis(
      Math.ceil(share * Duration.toMillis(Duration.fromInputUnsafe(policy.maxDelay ?? "1 second")))
    ),
    of
  })
  switch (kind) {
    case undefined:
      return undefined
    case "delayCommand":
      return delay("command")
    case "delayReply":
      return delay("reply")
    default:
      return drawn[kind]
  }
}

const drawn = {
  fail: { _tag: "Fail" },
  dropReply: { _tag: "DropReply" },
  repeat: { _tag: "Repeat" },
  forgetScripts: { _tag: "ForgetScripts" },
  restartEmpty: { _tag: "RestartEmpty" }
} as const

interface Rule {
  readonly fault: Fault
  readonly match: Matcher | undefined
  times: number
}

/** Chooses the fault of each command: that of the first rule that matches, or a random one. */
export const makeFaults = (seed: number, first: Policy | undefined) => {
  const draw = generator(seed)
  const injected: Array<Injected> = []
  let rules: ReadonlyArray<Rule> = []
  let policy = first

  return {
    choose: (command: Command): Fault | undefined => {
      const drawn = policy !== undefined && matches(policy.match, command) ? drawFault(policy, draw) : undefined
      const rule = rules.find((rule) => matches(rule.match, command))
      if (rule !== undefined && --rule.times <= 0) rules = rules.filter((other) => other !== rule)
      const fault = rule?.fault ?? drawn
      if (fault !== undefined) injected.push({ fault, command })
      return fault
    },
    add: (fault: Fault, match: Matcher | undefined, times: number): void => {
      rules = [...rules, { fault, match, times }]
    },
    random: (next: Policy | undefined): void => {
      policy = next
    },
    clear: (): void => {
      rules = []
      policy = undefined
    },
    injected: (): ReadonlyArray<Injected> => [...injected]
  }
}
