/**
 * The suites of workers, dead letters and callbacks with a naming that shares no name with the wire format.
 *
 * They are imported once the naming is set.
 */
import { backwards, runWith } from "../support/namings.ts"

runWith(backwards)
await import("./callbackRoute.test.ts")
await import("./DeadLetter.test.ts")
await import("./worker.callbackLists.test.ts")
await import("./worker.settlement.test.ts")
await import("../unit/worker.supervise.test.ts")
