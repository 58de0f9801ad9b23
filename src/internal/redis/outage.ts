/**
 * What this process knows of an outage of one server: it begins with the first part that fails, and ends when none
 * fails any more. Workers, clients and the connections of a layer share it, so that an outage is logged once.
 */
import type { Redis } from "../../Redis.ts"
import type { RedisFailure } from "./failure.ts"

/** How often an outage that lasts is logged again, in milliseconds. */
const reminder = 60_000

/** Steps of a server that is lost and comes back: one outage, whichever of them a call meets. */
const isAway = (kind: RedisFailure): boolean =>
  kind === "Connection" || kind === "Loading" || kind === "MasterDown" || kind === "ReadOnly"

/** Times are milliseconds. */
export class Outage {
  private readonly failing = new Set<object>()
  private readonly kinds = new Set<RedisFailure>()
  private since = 0
  private told = 0

  /** A part fails. Gives how long the outage has lasted if that is worth a log line: 0 for the first of an outage. */
  failed(part: object, kind: RedisFailure, now: number): number | undefined {
    const isFirst = this.failing.size === 0
    this.failing.add(part)
    if (isFirst) {
      this.kinds.clear()
      this.since = now
    }
    const isNews = !this.kinds.has(kind) && !(isAway(kind) && [...this.kinds].some(isAway))
    this.kinds.add(kind)
    if (!isNews && now - this.told < reminder) return undefined
    this.told = now
    return now - this.since
  }

  /** A part works. Gives how long the outage lasted if it is over. */
  passed(part: object, now: number): number | undefined {
    return this.failing.delete(part) && this.failing.size === 0 ? now - this.since : undefined
  }

  /** A part has ended, whether or not it failed. */
  forget(part: object): void {
    this.failing.delete(part)
  }
}

const outages = new WeakMap<Redis["Service"], Outage>()

/** The outage of the server behind a `Redis`. */
export const outageOf = (redis: Redis["Service"]): Outage => {
  const known = outages.get(redis) ?? new Outage()
  outages.set(redis, known)
  return known
}

const servers = new Map<string, Outage>()

/** The outage of a server, which layers with the same address share. */
export const outageAt = (address: string): Outage => {
  const known = servers.get(address) ?? new Outage()
  servers.set(address, known)
  return known
}

/** A layer shares the outage of its own connections with those that use it. */
export const share = (redis: Redis["Service"], outage: Outage): void => void outages.set(redis, outage)
