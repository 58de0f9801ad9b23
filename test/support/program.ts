/**
 * What the programs of test/programs have in common: the layers of a service as it is deployed, settings from the
 * environment, and lines for the test that watches.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as IoRedis from "../../src/IoRedis.ts"
import * as QueueNaming from "../../src/QueueNaming.ts"
import * as Settings from "../../src/Settings.ts"

export const AppLayer = Layer.mergeAll(IoRedis.layer, QueueNaming.layer).pipe(Layer.provideMerge(Settings.layer))

/** A line that the test waits for; written at once, so that a process that dies has said it. */
export const say = (line: string): Effect.Effect<void> => Effect.sync(() => sayNow(line))

export const sayNow = (line: string): void => {
  process.stdout.write(`@ ${line}\n`)
}
