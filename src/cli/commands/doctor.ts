/** `doctor`: tries what it claims, and says for each finding what to do. */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Inspector from "../../Inspector.ts"
import { namesOf } from "../../internal/redis/names.ts"
import { QueueNaming } from "../../QueueNaming.ts"
import { Redis } from "../../Redis.ts"
import { service } from "../connect.ts"
import { type Finding, finding } from "../doctor/finding.ts"
import { permissions } from "../doctor/permissions.ts"
import { server } from "../doctor/server.ts"
import { look } from "../doctor/service.ts"
import { endingOf, notDone } from "../failure.ts"
import { inspector } from "../inspecting.ts"
import { show } from "../screen.ts"
import type { Style } from "../style.ts"
import { count, safe } from "../text.ts"

const marks = {
  ok: (style: Style) => style.good("ok     "),
  skipped: (style: Style) => style.dim("skipped"),
  warning: (style: Style) => style.caution("warning"),
  problem: (style: Style) => style.bad("problem")
}

const lines = (findings: ReadonlyArray<Finding>, style: Style): ReadonlyArray<string> => {
  const width = Math.max(...findings.map(({ check }) => check.length))
  return findings.flatMap(({ advice, check, found, level }) => [
    `${marks[level](style)}  ${check.padEnd(width)}  ${found}`,
    ...(advice === undefined ? [] : [`${" ".repeat(9)}→ ${advice}`])
  ])
}

export const doctor = Command.make("doctor", {}, () =>
  Effect.gen(function*() {
    const name = yield* service
    const redis = yield* Redis
    const names = namesOf(yield* QueueNaming, name)
    // A service that is not there, or may not be looked at, is a finding: the checks of the server still help.
    const ofService = yield* Effect.catch(
      look(yield* Inspector.Inspector, name),
      (error) =>
        Effect.succeed<ReadonlyArray<Finding>>([
          finding("service", "problem", safe(endingOf(error).message), "Check the name, the prefix and the environment")
        ])
    )
    const findings = [...yield* server(redis, names), ...yield* permissions(redis, names), ...ofService]
    const problems = findings.filter(({ level }) => level === "problem").length
    yield* show({ service: name, stream: names.stream, problems, findings }, (_, { style }) => lines(findings, style))
    if (problems > 0) return yield* notDone(`${count(problems, "problem")} found`)
  }).pipe(Effect.provide(inspector))).pipe(
    Command.withDescription(
      "Check server, permissions and service, and say what to do. Changes nothing. Status 1 if there is a problem"
    ),
    Command.withExamples([{ command: "redis-workers doctor -s payment" }])
  )
