/** Counts what a runner holds, and how much more it may take: slots, room and memory. */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { Starvation } from "./starvation.ts"

export interface RoomOptions {
  /** Handlers that run at once. */
  readonly concurrency: number
  /** Entries held in addition to the running ones, so that a free slot never waits for Redis. */
  readonly readAhead: number
  /** The number of decided but unwritten entries above which reading pauses. */
  readonly maxUnwritten: number
  /** The number of characters of held entries above which reading pauses. */
  readonly maxHeldSize: number
}

/** The handlers of this many deliveries take longer than a read, unless they wait. */
const manyQueued = 50

export class Room {
  queued = 0
  running = 0
  unwritten = 0
  /** The number of characters of all held entries. */
  size = 0
  readonly latch = Latch.makeUnsafe(true)
  /** Waits until there is room for a good part of a batch. */
  // The latch may open while a batch is being accepted. Reading continues after that.
  readonly available: Effect.Effect<void> = Effect.suspend(() =>
    this.latch.isOpen() ? Effect.void : Effect.andThen(this.latch.await, Effect.yieldNow)
  )
  readonly options: RoomOptions
  readonly starvation: Starvation
  readonly capacity: number
  /**
   * Reading waits for room for a good part of a batch. Room for one entry at a time would cost a round trip for each
   * entry.
   */
  readonly enough: number
  readonly half: number
  constructor(options: RoomOptions, starvation: Starvation) {
    const { concurrency, readAhead } = options
    this.options = options
    this.starvation = starvation
    this.capacity = concurrency + readAhead
    this.enough = Math.max(1, readAhead >> 1)
    this.half = readAhead === 0 ? this.capacity : Math.ceil(this.capacity / 2)
  }
  /** How many entries may be taken now. */
  // Decided entries free their place at once, so that the next batch is read while this one is written.
  free(): number {
    const { maxHeldSize, maxUnwritten } = this.options
    return this.size >= maxHeldSize || this.unwritten >= maxUnwritten || this.starvation.isStarved()
      ? 0
      : this.capacity - this.running - this.queued
  }
  /**
   * The number of entries for the next read. With read-ahead, half of what may be held: one half is handled while the
   * other half is read.
   */
  batch(): number {
    return Math.min(this.free(), this.half)
  }
  /** The number of characters of entries that may be taken now. */
  spare(): number {
    return this.options.maxHeldSize - this.size
  }
  slots(): number {
    return this.options.concurrency - this.running
  }
  /** Whether the waiting deliveries take longer than a read. */
  isBusy(): boolean {
    return this.queued >= manyQueued
  }
  /** Whether there is room for a good part of a batch. */
  isEnough(): boolean {
    return this.free() >= this.enough
  }
  update(): void {
    if (this.isEnough()) this.latch.openUnsafe()
    else this.latch.closeUnsafe()
  }
}
