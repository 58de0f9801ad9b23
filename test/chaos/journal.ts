/**
 * Reads what workers wrote: `S entry` started, `D entry action` handled, `C name` a consumer, `L leases refused` counters.
 */
export interface Journal {
  /** Entries whose handler was started. */
  readonly started: ReadonlySet<string>
  /** How often each action was handled. */
  readonly handled: ReadonlyMap<string, number>
  readonly consumers: ReadonlyArray<string>
  readonly leasesLost: number
  readonly settlementsRefused: number
}

export const read = (text: string): Journal => {
  const started = new Set<string>()
  const handled = new Map<string, number>()
  const consumers: Array<string> = []
  let leasesLost = 0
  let settlementsRefused = 0
  // The last line may be half written.
  for (const line of text.slice(0, text.lastIndexOf("\n") + 1).split("\n")) {
    const [kind, first = "", second = ""] = line.split(" ")
    if (kind === "S") started.add(first)
    else if (kind === "D") handled.set(second, (handled.get(second) ?? 0) + 1)
    else if (kind === "C") consumers.push(first)
    else if (kind === "L") {
      leasesLost = Number(first)
      settlementsRefused = Number(second)
    }
  }
  return { started, handled, consumers, leasesLost, settlementsRefused }
}

/** The journals of all workers as one. */
export const merge = (journals: ReadonlyArray<Journal>): Omit<Journal, "started" | "consumers"> => {
  const handled = new Map<string, number>()
  for (const journal of journals) {
    for (const [id, times] of journal.handled) handled.set(id, (handled.get(id) ?? 0) + times)
  }
  return {
    handled,
    leasesLost: journals.reduce((sum, journal) => sum + journal.leasesLost, 0),
    settlementsRefused: journals.reduce((sum, journal) => sum + journal.settlementsRefused, 0)
  }
}
