/**
 * What a chaos run is judged by.
 */
export interface Summary {
  readonly seed: number
  readonly sent: number
  readonly handled: number
  readonly handledTwice: number
  readonly answered: number
  readonly failedTyped: number
  readonly unresolved: number
  readonly deadLettered: number
  readonly pending: number
  readonly lost: number
  /** Found out by a renewal: the handler is interrupted. */
  readonly leasesLostByRenewal: number
  /** Found out at the end of the handler: another consumer owns the entry, and the settlement is refused. */
  readonly leasesLostBySettlement: number
  readonly kills: number
  readonly runningAtKills: number
  readonly freezes: number
  readonly serverKills: number
  readonly cuts: number
  readonly repeated: number
  /** Accepted before they were due. */
  readonly parked: number
}

const leasesLost = (summary: Summary): number => summary.leasesLostByRenewal + summary.leasesLostBySettlement

/** What must hold, each with its sentence. */
export const failuresOf = (summary: Summary): ReadonlyArray<string> => {
  const most = summary.runningAtKills + leasesLost(summary) + summary.repeated
  return [
    ...(summary.lost === 0 ? [] : [`${summary.lost} actions were lost`]),
    ...(summary.pending === 0 ? [] : [`${summary.pending} entries are still pending`]),
    ...(summary.unresolved === 0 ? [] : [`${summary.unresolved} callers got no answer and no failure`]),
    ...(summary.handledTwice <= most
      ? []
      : [`${summary.handledTwice} actions were handled again, more than the ${most} that the faults explain`])
  ]
}

export const lines = (summary: Summary): ReadonlyArray<string> => [
  `seed                       ${summary.seed}`,
  `sent (by action id)        ${summary.sent}`,
  `handled                    ${summary.handled}`,
  `handled twice              ${summary.handledTwice}`,
  `requests answered          ${summary.answered}`,
  `requests failed typed      ${summary.failedTyped}`,
  `callers unresolved         ${summary.unresolved}`,
  `dead-lettered              ${summary.deadLettered}`,
  `pending                    ${summary.pending}`,
  `lost                       ${summary.lost}`,
  `leases lost                ${leasesLost(summary)} (${summary.leasesLostBySettlement} told by a refused settlement)`,
  `workers killed             ${summary.kills} (${summary.runningAtKills} actions in their hands)`,
  `workers frozen             ${summary.freezes}`,
  `servers killed             ${summary.serverKills}`,
  `connections cut            ${summary.cuts} times`,
  `sends repeated             ${summary.repeated}`,
  `parked before they ran     ${summary.parked}`
]
