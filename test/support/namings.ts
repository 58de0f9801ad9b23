/**
 * Namings of a user's own, and the one that the suites of `layers.ts` run with.
 */
import * as QueueNaming from "../../src/QueueNaming.ts"
import { isOnCluster } from "./place.ts"

type MakeNaming = (environment: string) => QueueNaming.QueueNamingShape

/** That of the wire format. */
export const wire: MakeNaming = (environment) => QueueNaming.make({ prefix: "nooble4", environment })

/** Nothing is where the wire format has it: other separators, the service at the end, other groups and consumers. */
export const backwards: MakeNaming = (environment) => {
  const key = (service: string, ...parts: ReadonlyArray<string>) => [...parts, "in", environment, service].join("/")
  const places = { response: /^responses(\/[\w.-]+)+$/, callback: /^callbacks(\/[\w.-]+)+$/, stream: /^streams\/main$/ }
  return {
    key,
    group: (service) => `workers-of-${service}`,
    consumer: (service, suffix, unique) => `${unique}@${service}${suffix}`,
    targetService: (actionType) => actionType.split(".", 1).join(),
    inbox: (client, _answering, instance) => key(client, "responses", "inbox", instance),
    accepts: (name, kind) => {
      const [place = "", service = "", ...more] = name.split(`/in/${environment}/`)
      return more.length === 0 && /^[\w-]+$/.test(service) && places[kind].test(place)
    }
  }
}

/** The service in a hash tag, so that all keys of one are in one slot of a Cluster, and answers beside who answers. */
export const tagged: MakeNaming = (environment) => {
  const { consumer, group, targetService } = wire(environment)
  const key = (service: string, ...parts: ReadonlyArray<string>) => [`{${service}}/${environment}`, ...parts].join("/")
  const name = new RegExp(`^\\{[\\w-]+\\}/${environment}/(?:(responses|callbacks)(?:/[\\w.-]+)+|(streams)/main)$`)
  const kinds = { response: "responses", callback: "callbacks", stream: "streams" }
  return {
    key,
    group,
    consumer,
    targetService,
    inbox: (client, answering, instance) => key(answering, "responses", "inbox", `${client}.${instance}`),
    accepts: (text, kind) => name.exec(text)?.slice(1).includes(kinds[kind]) ?? false
  }
}

/** That of `QueueNaming.layerCluster`. */
export const hashTags: MakeNaming = (environment) => QueueNaming.makeCluster({ prefix: "nooble4", environment })

let current = isOnCluster ? hashTags : wire

/** The naming of the suites in `layers.ts`. */
export const namingOf: MakeNaming = (environment) => current(environment)

/** Has the suites of this test file run with another naming. */
export const runWith = (naming: MakeNaming): void => {
  current = naming
}
