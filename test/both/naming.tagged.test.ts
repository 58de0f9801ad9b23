/**
 * The suites of workers, dead letters and callbacks with a naming that puts the service of each key in a hash tag.
 *
 * They are imported once the naming is set.
 */
import { runWith, tagged } from "../support/namings.ts"

runWith(tagged)
await import("./callbackRoute.test.ts")
await import("./DeadLetter.test.ts")
await import("./worker.callbackLists.test.ts")
await import("./worker.settlement.test.ts")
await import("../unit/worker.supervise.test.ts")
