/**
 * What a system of the comparison can be asked to do, each time in a process of its own.
 */

export interface Work {
  readonly url: string
  /** Messages, numbered from 0. */
  readonly total: number
  /** The first of them that are not measured: code is compiled and caches are filled. */
  readonly warm: number
  /** The first of them that is sent now. */
  readonly from: number
  /** After the warm-up a consumer stops, says that it is ready, and goes on when it is told to: by then the backlog is there. */
  readonly inTwo: boolean
  /** Handlers at once; 0 leaves it to the system. */
  readonly concurrency: number
  /** Internal workers of this library. */
  readonly consumers: number
  /** Milliseconds that a handler waits. */
  readonly delay: number
  /** When all messages that are sent are due, in milliseconds of the epoch; 0 is at once. */
  readonly due: number
  /** Requests that wait for their answer at once. */
  readonly inFlight: number
}

/** What a task measured. `wrong` and `left` are 0 in a run that counts. */
export interface Report {
  /** From the end of the warm-up until all is handled and settled. */
  readonly seconds: number
  /** Messages that were not handled exactly once, answers that were not right. */
  readonly wrong: number
  /** Messages that are still pending at the end. */
  readonly left: number
  readonly handled: number
  /** Median time of a request, in microseconds. */
  readonly p50?: number | undefined
  /** Connections that the process holds. */
  readonly connections?: number | undefined
  /** Resident memory before the first message, and the most that was seen, in bytes. */
  readonly idleBytes?: number | undefined
  readonly peakBytes?: number | undefined
}

/** A task's report as it leaves its process. */
export interface ProcessReport extends Report {
  /** Microseconds of CPU that the process has used since its start. */
  readonly cpu: number
}

/** The other end of a task: the program that compares. */
export interface Parent {
  /** Says that the process is connected and waits for the word to start. */
  readonly ready: () => Promise<void>
  /** Resolves when the process shall end. */
  readonly stopped: Promise<void>
}

export type Task = (work: Work, parent: Parent) => Promise<Report>

export interface System {
  /** Fills the backlog. */
  readonly send: Task
  /** Handles a backlog until it is empty. */
  readonly drain?: Task
  /** Handles a part of a backlog, until it is stopped. */
  readonly share?: Task
  /** Answers requests until it is stopped. */
  readonly serve?: Task
  /** Sends requests and waits for the answers; another process serves. */
  readonly request?: Task
}
