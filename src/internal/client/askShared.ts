/**
 * A request whose answer arrives in the shared inbox. The answer, a failure to send or the timeout ends it, whichever
 * is first. It leaves nothing behind, however it ends.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { RedisError } from "../../Redis.ts"
import type { Answer } from "./answer.ts"
import type { Waiter, Waiters } from "./waiters.ts"

type Ended<E> = Effect.Effect<Answer, RedisError | E>

/** A class instead of a literal, see `entry.ts`. */
class Request<E> implements Waiter {
  deadline = Infinity
  sent: Fiber.Fiber<unknown, RedisError | E> | undefined = undefined
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
 * Sends, and waits for the answer for the given number of milliseconds. The waiter is added before the action is sent.
 * The reply to the send is not awaited, because the answer may arrive first. `wake` starts reading the inbox.
 */
export const make = (waiters: Waiters, wake: () => void) =>
<E>(
  correlationId: string,
  sending: Effect.Effect<unknown, RedisError | E>,
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
