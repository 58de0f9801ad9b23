/**
 * What a runner holds, counted, and how much more it may take: slots, room and memory.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { Starvation } from "./starvation.ts"

export interface RoomOptions {
  /** Handlers that run at once. */
  readonly concurrency: number
  /** Entries held beyond those that run, so that a slot that comes free never waits for Redis. */
  readonly readAhead: number
  /** Decided entries whose settlement is not written, beyond which nothing is read. */
  readonly maxUnwritten: number
  /** Characters of entries held at once, beyond which nothing is read. */
  readonly maxHeldSize: number
}

/** Handlers of so many deliveries take longer than a read, unless they wait. */
const manyQueued = 50

export class Room {
  queued = 0
  running = 0
  unwritten = 0
  /** Characters of all of these. */
  size = 0
  readonly latch = Latch.makeUnsafe(true)
  /** Waits until there is room for a good part of a batch. */
  // The latch may open in the midst of a batch that is being taken in: reading goes on when that is over.
  readonly available: Effect.Effect<void> = Effect.suspend(() =>
    this.latch.isOpen() ? Effect.void : Effect.andThen(this.latch.await, Effect.yieldNow)
  )
  readonly options: RoomOptions
  readonly starvation: Starvation
  readonly capacity: number
  /** Reading waits for a good part of a batch: room for one at a time would be a round trip for each entry. */
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
  // What is decided leaves its place at once, so that the next batch is read while this one is written.
  free(): number {
    const { maxHeldSize, maxUnwritten } = this.options
    return this.size >= maxHeldSize || this.unwritten >= maxUnwritten || this.starvation.isStarved()
      ? 0
      : this.capacity - this.running - this.queued
  }
  /** How many entries the next read takes: with read-ahead half of all that is held, handled while the other half is read. */
  batch(): number {
    return Math.min(this.free(), this.half)
  }
  /** Characters of entries that may be taken now. */
  spare(): number {
    return this.options.maxHeldSize - this.size
  }
  slots(): number {
    return this.options.concurrency - this.running
  }
  /** Whether so much waits to start that it takes longer than a read. */
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
