/**
 * Settles a whole batch of entries in one call, fenced, and atomic for each entry.
 *
 * For each entry, the script checks the owner, pushes the answer, writes the dead letter, and acknowledges the entry.
 * An entry that fails stays in the pending list and gets its own status; the others continue.
 *
 * The call can be repeated safely, because this consumer no longer owns entries that an earlier call settled. If it
 * owns such an entry again, for a retry that became due in between, the delivery count differs: an outcome settles only
 * its own delivery.
 */
import type { Names } from "../redis/names.ts"
import type { PushTarget } from "../wire/answerTarget.ts"
import { bytesOf, scriptWords } from "./bounds.ts"
import { type LaneKeys, laneKeys } from "./laneKeys.ts"
import { define, liveArgument } from "./script.ts"
import { answerOnly, luaSettle } from "./settleText.ts"

/** Any settlement except a plain acknowledgement. */
export interface SettleEntry {
  readonly id: string
  /** The delivery that this outcome belongs to, by Redis's count. Default: 1. */
  readonly deliveries?: number | undefined
  readonly push: PushTarget | undefined
  /** Keeps the entry pending, owned by the waiting consumer, due after `delay` milliseconds. */
  readonly wait: { readonly delay: number; readonly record: string } | undefined
  /** Written to the dead-letter stream if true, or if the push is refused. */
  readonly dead: boolean
  /**
   * Field and value pairs that precede the entry's own fields in the dead letter. An answer may omit them, since they
   * are rarely needed. If it then cannot be pushed, the entry is left unchanged and reported as `incomplete`.
   */
  readonly notes: ReadonlyArray<string> | undefined
  /** Whether its notes hold the answer, because the naming rejects the list of the answer. The script ignores it. */
  readonly undelivered?: boolean | undefined
}

/** An entry that gives its place in a lane back once it is acknowledged. */
export interface Leaving {
  readonly id: string
  readonly lane: string
  /** Whether it became a dead letter, so that a lane whose rule says so halts. */
  readonly gaveUp: boolean
  /** Milliseconds for which the lane lets nothing in. The entry waits and keeps its place then. */
  readonly pause?: number | undefined
}

/** Where entries are settled, and for which consumer. */
export interface SettleTarget extends LaneKeys {
  readonly retryDue: string
  readonly retryRecords: string
  readonly deadLetters: string
  readonly group: string
  readonly consumer: string
  readonly waitingConsumer: string
  /** Keeps acknowledged entries in the stream. */
  readonly retain: boolean
}

export const targetOf = (names: Names, consumer: string, retain: boolean): SettleTarget => ({
  ...names,
  consumer,
  retain
})

export interface SettleParams {
  readonly target: SettleTarget
  readonly firstId: string
  readonly lastId: string
  /** Plain acknowledgements of entries that were delivered once. */
  readonly acknowledged: ReadonlyArray<string>
  readonly entries: ReadonlyArray<SettleEntry>
  /** Those of them that have a place in a lane. */
  readonly leaving?: ReadonlyArray<Leaving> | undefined
}

const operationOf = (entry: SettleEntry): string =>
  (entry.push === undefined ? "-" : entry.push.kind === "list" ? "l" : "s") +
  (entry.wait !== undefined ? "w" : entry.dead ? "d" : "-")

/** Words of a call that settles nothing: the four keys, and nine arguments before the entries. */
export const settleWords = scriptWords + 4 + 9

/** Words of an entry in a call, with a key of its own for its answer; `first` is the first answer to a list in the call. */
export const wordsOf = (
  { dead, deliveries = 1, notes, push, wait }: SettleEntry,
  first: PushTarget | undefined
): number => {
  const isShort = push?.kind === "list" && push.timeToLive === first?.timeToLive && push.atLeast === first.atLeast &&
    wait === undefined && !dead && notes === undefined && deliveries === 1
  if (isShort) return 5
  return 4 + (push === undefined ? 0 : 4) + (wait === undefined ? 0 : 2) + (notes?.length ?? 0)
}

/** Bytes that an entry adds to a call, besides its id and numbers. */
export const entryBytes = ({ notes, push, wait }: SettleEntry): number => {
  let bytes = push === undefined ? 0 : bytesOf(push.payload) + bytesOf(push.key)
  if (wait !== undefined) bytes += bytesOf(wait.record)
  if (notes !== undefined) { for (const note of notes) bytes += bytesOf(note) }
  return bytes
}

/** The lifetime that the script gives to the lists of mere answers: that of the first. */
const lifetimeOf = (entries: ReadonlyArray<SettleEntry>): string => {
  const push = entries.find((entry) => entry.push?.kind === "list")?.push
  return push === undefined ? "0" : liveArgument(push)
}

const isAnswerOnly = (entry: SettleEntry, push: PushTarget, lifetime: string): boolean =>
  push.kind === "list" && liveArgument(push) === lifetime && entry.wait === undefined && !entry.dead &&
  entry.notes === undefined && (entry.deliveries ?? 1) === 1

/** The keys of the answers, each once: a batch of answers to one inbox declares one key. */
const answerKeys = (params: SettleParams): ReadonlyArray<string> => {
  const keys = new Set<string>()
  for (const entry of params.entries) if (entry.push !== undefined) keys.add(entry.push.key)
  return [...keys]
}

const isLaned = (params: SettleParams): params is SettleParams & { readonly leaving: ReadonlyArray<Leaving> } =>
  params.leaving !== undefined && params.leaving.length > 0

const withLeaving = (args: Array<string>, { leaving }: SettleParams): ReadonlyArray<string> => {
  if (leaving !== undefined) {
    for (const { gaveUp, id, lane, pause } of leaving) {
      args.push(id, lane, pause !== undefined ? `p${Math.ceil(pause)}` : gaveUp ? "1" : "0")
    }
  }
  return args
}

/** Words and keys of a call in which entries leave lanes, and the words of each. */
export const laneWords = { call: 8, entry: 3 } as const

export const settle = define<SettleParams>({
  lua: luaSettle,
  keys: (params) => [
    params.target.stream,
    params.target.retryDue,
    params.target.retryRecords,
    params.target.deadLetters,
    ...(params.entries.length === 0 ? [] : answerKeys(params)),
    ...(isLaned(params) ? laneKeys(params.target).slice(1) : [])
  ],
  args: (params) => {
    const { acknowledged, entries, target } = params
    const lifetime = lifetimeOf(entries)
    const args = [
      target.group,
      target.consumer,
      target.waitingConsumer,
      (target.retain ? "1" : "0") + (isLaned(params) ? String(params.leaving.length) : ""),
      params.firstId,
      params.lastId,
      String(acknowledged.length + entries.length),
      lifetime,
      String(acknowledged.length),
      ...acknowledged
    ]
    if (entries.length === 0) return withLeaving(args, params)
    const positions = new Map(answerKeys(params).map((key, index) => [key, String(index + 5)] as const))
    for (const entry of entries) {
      const { push, wait } = entry
      const position = push === undefined ? "" : positions.get(push.key) ?? ""
      if (push !== undefined && isAnswerOnly(entry, push, lifetime)) {
        args.push(entry.id, answerOnly, position, push.payload)
        continue
      }
      args.push(entry.id, operationOf(entry), String(entry.deliveries ?? 1))
      if (push !== undefined) args.push(position, push.payload, push.traceparent ?? liveArgument(push))
      if (wait !== undefined) args.push(String(wait.delay), wait.record)
      if (entry.notes === undefined && !entry.dead) args.push("-1")
      else args.push(String(entry.notes?.length ?? 0), ...entry.notes ?? [])
    }
    return withLeaving(args, params)
  }
})

/**
 * The status of an entry that was not simply settled. `lost`: the pending list has it for another consumer, or for a
 * later delivery. `ended`: it is not pending; it was settled before or will be delivered again. `dropped`: it is not
 * pending but still in the stream, and no consumer will receive it. `gone`: it was deleted from the stream while this
 * consumer owned it.
 */
export type SettleStatus =
  | "lost"
  | "ended"
  | "dropped"
  | "gone"
  | "undeliverable"
  | "incomplete"
  | { readonly error: string }

/** What happened to lanes in a call: whether one has something to do later, and how many of their actions were over. */
export const decodeLanes = (reply: unknown): { readonly isDue: boolean; readonly over: number } => {
  if (!Array.isArray(reply)) return { isDue: false, over: 0 }
  const over = reply.indexOf("over")
  return { isDue: reply.includes("due"), over: over < 0 ? 0 : Number(reply[over + 1]) }
}

const words: ReadonlySet<string> = new Set(["lost", "ended", "dropped", "gone", "undeliverable", "incomplete"])

// SAFETY: the set holds exactly the words of `SettleStatus`.
const isWord = (text: string): text is Extract<SettleStatus, string> => words.has(text)

/** The entries with a status, by their index in the batch (plain acknowledgements first). */
export const decodeStatuses = (reply: unknown): ReadonlyMap<number, SettleStatus> => {
  const statuses = new Map<number, SettleStatus>()
  if (!Array.isArray(reply)) return statuses
  for (let i = 0; i + 1 < reply.length; i += 2) {
    const text = String(reply[i + 1])
    if (reply[i] === "due" || reply[i] === "over") continue
    statuses.set(Number(reply[i]), isWord(text) ? text : { error: text })
  }
  return statuses
}
