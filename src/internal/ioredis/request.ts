/**
 * One command over a client of ioredis, built so that it can be collected as soon as it is answered.
 */
import { Command, type Redis as Client } from "ioredis"
import { constants } from "node:buffer"
import { tracingChannel } from "node:diagnostics_channel"

/**
 * A reply with its bytes as text. Arrays are made by `map`, which V8 never allots in the old generation (see `entry.ts`), and
 * those of the parser, which it may, are emptied.
 */
const textOf = (reply: unknown): unknown => {
  // A value may be some bytes longer than V8's longest string. What is cut off is above every limit of a payload, and an
  // exception in here would end the process, and the next one that reads the same entry.
  if (Buffer.isBuffer(reply)) return reply.toString("utf8", 0, constants.MAX_STRING_LENGTH)
  if (!Array.isArray(reply)) return reply
  const texts = reply.map(textOf)
  reply.length = 0
  return texts
}

const traces = tracingChannel("ioredis:command")

const ignore = (): void => {}

/** Characters that each argument takes beside its own: its length, and the ends of two lines. */
const argumentOverhead = 16

/**
 * A command is one text for ioredis. One that is longer than V8's longest must not get there: where it has to wait for the
 * connection, it would throw only when that is ready, in an event of ioredis that nobody catches.
 */
const checkLength = (args: ReadonlyArray<string>): void => {
  let length = 0
  for (const arg of args) length += arg.length + argumentOverhead
  if (length > constants.MAX_STRING_LENGTH) throw new RangeError("The arguments are too long for one command")
}

/**
 * One command, answered by a call instead of a promise.
 *
 * ioredis makes a closure for each command and assigns it to a property; V8 allots such closures in the old generation, where
 * each keeps its command until the next full collection, and with it the arguments, who waits for the reply, and the reply.
 * A worker spent a sixth of its time on copying that. So a command lets go of everything when it is answered. Where somebody
 * listens to ioredis's own traces they are what matters.
 *
 * Throws where no command can be made of the arguments.
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
    // ioredis refuses its queue in a loop that also takes what is added meanwhile. Who sends again at once would be refused in
    // the same loop, for ever if it goes on trying.
    queueMicrotask(() => onFailure(cause))
  }
  sent.resolve = answered
  sent.reject = refused
  client.sendCommand(sent)
}
