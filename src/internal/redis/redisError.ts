/**
 * The `RedisError` of Effect has a cause and an empty message. Here it gets the message of its cause, so that `error.message`
 * and an error that ends a program say what failed.
 */
import { RedisError } from "../../Redis.ts"
import { withoutStack } from "../base/withoutStack.ts"

const own = (value: string): PropertyDescriptor => ({ value, configurable: true, enumerable: false, writable: true })

export const redisError = (cause: Error): RedisError =>
  withoutStack(
    Object.defineProperties(new RedisError({ cause: withoutStack(cause) }), {
      name: own("RedisError"),
      message: own(cause.message)
    })
  )
