/**
 * What the Python worker does, in TypeScript: an entry a read, acknowledged for itself.
 */
import type * as Actions from "../support/actions.ts"
import { connect, group, left, makeGroup, send, stream } from "../support/streams.ts"
import type { System } from "../support/system.ts"
import * as Tally from "../support/tally.ts"

export const system: System = {
  send,
  drain: async (work) => {
    const redis = connect(work.url)
    await makeGroup(redis)
    const tally = Tally.make(work)
    for (let handled = 0; handled < work.total; handled++) {
      const reply = await redis.xreadgroup(
        ...["GROUP", group, "one", "COUNT", 1, "BLOCK", 5000, "STREAMS", stream, ">"] as const
      )
      const [id, fields] = reply![0]![1][0]!
      const { data } = JSON.parse(fields![1]!) as { readonly data: Actions.Payload }
      tally.mark(data.sequence)
      await redis.xack(stream, group, id)
    }
    const report = await tally.end(() => left(work.url))
    redis.disconnect()
    return report
  }
}
