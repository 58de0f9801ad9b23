/**
 * The keys of one service's stream, built once.
 */
import type { QueueNamingShape } from "../../QueueNaming.ts"

export interface Names {
  readonly service: string
  readonly stream: string
  readonly group: string
  readonly waitingConsumer: string
  readonly retryDue: string
  readonly retryRecords: string
  readonly lease: string
  readonly deadLetters: string
}

export const namesOf = (naming: QueueNamingShape, service: string): Names => {
  const group = naming.group(service)
  return {
    service,
    stream: naming.actionStream(service),
    group,
    waitingConsumer: naming.waitingConsumer(service),
    retryDue: naming.retryDue(service, group),
    retryRecords: naming.retryRecords(service, group),
    lease: naming.lease(service, group),
    deadLetters: naming.deadLetterStream(service)
  }
}
