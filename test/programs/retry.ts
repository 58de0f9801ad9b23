/** A service `retry` whose action `retry.twice` succeeds at its third attempt; the two before are run again after `ms`. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Delivery } from "../../src/Delivery.ts"
import type { DomainAction } from "../../src/DomainAction.ts"
import { RetryLater } from "../../src/HandlerError.ts"
import * as Worker from "../../src/Worker.ts"
import { AppLayer, say, sayNow } from "../support/program.ts"

const handlers = {
  "retry.twice": (action: DomainAction, { attempt, deliveries }: Delivery) =>
    Effect.andThen(
      say(`attempt ${attempt} delivery ${deliveries} at ${Date.now()}`),
      attempt < 3
        ? Effect.fail(new RetryLater({ after: Duration.millis(Number(action.data["ms"])) }))
        : Effect.void
    )
}

sayNow("up")
NodeRuntime.runMain(Worker.run(handlers).pipe(Effect.provide(AppLayer)), { teardown: Worker.teardown })
