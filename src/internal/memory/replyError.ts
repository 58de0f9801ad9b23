/** An error reply, its message as the server words it (`WRONGTYPE …`, `NOGROUP …`). */
export class ReplyError extends Error {
  override readonly name = "ReplyError"
}
