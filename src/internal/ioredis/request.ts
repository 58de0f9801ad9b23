/** Sends one command over an ioredis client. The command can be collected as soon as it is answered. */
import { Command, type Redis as Client } from "ioredis"
import { constants } from "node:buffer"
import { tracingChannel } from "node:diagnostics_channel"

/**
 * A reply with its bytes as text. Arrays are made by `map`, which V8 never allocates in the old generation (see
 * `entry.ts`). The parser's own arrays, which may be there, are emptied.
 */
const textOf = (reply: unknown): unknown => {
  // A value may be a few bytes longer than V8's longest string. The part cut off is above every limit of a payload. An
  // exception here would end the process, and so would it in the next process that reads the same entry.
  if (Buffer.isBuffer(reply)) return reply.toString("utf8", 0, constants.MAX_STRING_LENGTH)
  if (!Array.isArray(reply)) return reply
  const texts = reply.map(textOf)
  reply.length = 0
  return texts
}

const traces = tracingChannel("ioredis:command")

const ignore = (): void => {}

/** The characters that each argument takes besides its own: its length, and two line ends. */
const argumentOverhead = 16

/**
 * ioredis builds one string for a command. A longer one than V8 allows must not get there: if it waits for the
 * connection, it would throw only when that is ready, in an ioredis event whose exceptions are not caught.
 */
const checkLength = (args: ReadonlyArray<string>): void => {
  let length = 0
  for (const arg of args) length += arg.length + argumentOverhead
  if (length > constants.MAX_STRING_LENGTH) throw new RangeError("The arguments are too long for one command")
}

/**
 * Sends one command, answered by a callback instead of a promise.
 *
 * ioredis makes a closure for each command and assigns it to a property. V8 allocates such closures in the old
 * generation, where each keeps its command until the next full collection, together with the arguments, the waiting
 * caller and the reply. A worker spent a sixth of its time on copying that. So a command releases everything when it is
 * answered, unless a subscriber listens to ioredis's own traces.
 *
 * Throws if the arguments do not make a valid command.
 */
export const request = (
  client: Client,
  command: string,
  args: ReadonlyArray<string>,
  onReply: (reply: unknown) => void,
  onFailure: (cause: unknown) => void
): void => {
  checkLength(args)
  // Upper case keeps ioredis from turning the replies of some commands into objects.
  const name = command.toUpperCase()
  if (traces.hasSubscribers) {
    client.call(name, [...args]).then(onReply, onFailure)
    return
  }
  const sent = new Command(name, [...args])
  const letGo = () => {
    sent.args = []
    sent.resolve = ignore
    sent.reject = ignore
  }
  const answered = (reply: unknown) => {
    letGo()
    onReply(textOf(reply))
  }
  const refused = (cause: unknown) => {
    letGo()
    // ioredis empties its queue in a loop that also takes commands added meanwhile. A caller that retries at once would
    // be refused in the same loop, possibly forever.
    queueMicrotask(() => onFailure(cause))
  }
  sent.resolve = answered
  sent.reject = refused
  client.sendCommand(sent)
}
