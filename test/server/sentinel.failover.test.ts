/** A service under load while three real Sentinels make its replica the master. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as IoRedis from "../../src/IoRedis.ts"
import * as Sentinel from "../support/sentinel.ts"
import * as Trouble from "../support/troubleWorld.ts"
import { until } from "../support/until.ts"

const name = "mymaster"

describe("with three real Sentinels", () => {
  it.live.each(["a failover by command", "SIGKILL", "SIGSTOP"] as const)(
    "every call ends, and only what was accepted before the switch can be lost, after %s of the master under load",
    (trouble) =>
      Effect.gen(function*() {
        const { master, replica, sentinels } = yield* Sentinel.watched
        const redis: IoRedis.Options = {
          connectTimeout: "4 seconds",
          ioredis: { name, sentinels: sentinels.map(({ host, port }) => ({ host, port })), failoverDetector: true }
        }
        // What is asked of the server is asked of the one that becomes the master.
        const world = yield* Trouble.make({ server: replica })
        const process = yield* world.startWorker({ consumers: 2 }, redis)
        const client = yield* world.startClient(redis)
        const before = yield* Trouble.startLoad(client, "before")
        yield* Trouble.handledMore(world)

        if (trouble === "a failover by command") yield* sentinels[0]!.cli("SENTINEL", "FAILOVER", name)
        else yield* master.kill(trouble)
        yield* until(
          "the replica is the master",
          // The step that promotes a replica closes the connections of its clients.
          Effect.match(replica.cli("ROLE"), {
            onSuccess: (role) => String(role).startsWith("master"),
            onFailure: () => false
          }),
          20_000
        )
        yield* until(
          "the Sentinels name it",
          Effect.map(
            Effect.forEach(sentinels, (sentinel) => sentinel.cli("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)),
            (addresses) => addresses.every((address) => String(address) === `${replica.host},${replica.port}`)
          ),
          20_000
        )
        yield* Trouble.handledMore(world)
        yield* before.stop
        yield* Trouble.recovered(process)

        // The calls go to the new master now: nothing of them may be lost.
        const after = yield* Trouble.startLoad(client, "after")
        yield* until("more is accepted", Effect.sync(() => after.accepted.size >= 100), 20_000)
        yield* after.stop
        yield* Trouble.nothingLost(world, after.accepted)
        const lost = [...before.accepted].filter((key) => !world.handled.has(key))
        const answered = lost.filter((key) => before.answered.has(key))
        assert.deepStrictEqual(answered, [], "answered and not handled")
        // Replication is asynchronous: a second of this load is 100 calls.
        assert.isAtMost(lost.length, 200, "accepted and lost with the old master")
      }),
    90_000
  )
})
