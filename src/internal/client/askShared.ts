/**
 * One request whose answer comes to the shared inbox: the answer, a failure to send or the end of its time, whichever
 * is first, ends it, and nothing of it is left behind however it ends.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { RedisError } from "../../Redis.ts"
import type { Answer } from "./answer.ts"
import type { Waiter, Waiters } from "./waiters.ts"

type Ended<E> = Effect.Effect<Answer, RedisError | E>

/** A class and no literal, see `entry.ts`. */
class Request<E> implements Waiter {
  deadline = Infinity
  sent: Fiber.Fiber<string, RedisError> | undefined = undefined
  readonly waiters: Waiters
  readonly correlationId: string
  readonly timeout: Effect.Effect<never, E>
  readonly resume: (result: Ended<E>) => void

  constructor(
    waiters: Waiters,
    correlationId: string,
    timeout: Effect.Effect<never, E>,
    resume: (result: Ended<E>) => void
  ) {
    this.waiters = waiters
    this.correlationId = correlationId
    this.timeout = timeout
    this.resume = resume
  }

  answered(answer: Answer): void {
    this.resume(Effect.succeed(answer))
  }

  failed(error: RedisError): void {
    this.end(Effect.fail(error))
  }

  timedOut(): void {
    this.end(this.timeout)
    this.sent?.interruptUnsafe()
  }

  end(result: Ended<E>): void {
    this.waiters.remove(this.correlationId)
    this.resume(result)
  }
}

/**
 * Sends, and waits for the answer for so many milliseconds. The waiter is there before the action is sent. The reply to the
 * sending is not waited for: the answer may be there first. `wake` makes the inbox be read.
 */
export const make = (waiters: Waiters, wake: () => void) =>
<E>(
  correlationId: string,
  sending: Effect.Effect<string, RedisError>,
  millis: number,
  timeout: Effect.Effect<never, E>
): Ended<E> =>
  Effect.withFiber((fiber) =>
    Effect.callback((resume) => {
      const request = new Request(waiters, correlationId, timeout, resume)
      waiters.add(correlationId, request, millis)
      wake()
      const sent = Effect.runForkWith(fiber.context)(sending)
      request.sent = sent
      sent.addObserver((exit) => {
        if (Exit.isFailure(exit)) request.end(Effect.failCause(exit.cause))
      })
      return Effect.sync(() => {
        waiters.remove(correlationId)
        sent.interruptUnsafe()
      })
    })
  )
