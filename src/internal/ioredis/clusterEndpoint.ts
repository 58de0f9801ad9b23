/** Addresses of the nodes of a cluster. */

/** Host and port. */
export interface Endpoint {
  readonly host: string
  readonly port: number
}

export const addressOf = ({ host, port }: Endpoint): string => `${host}:${port}`

/** `host:port`, where the host may be an IPv6 address, or missing: then it is that of the node that says so. */
export const endpointOf = (text: string, asked: Endpoint): Endpoint | undefined => {
  const colon = text.lastIndexOf(":")
  const port = Number(text.slice(colon + 1))
  if (colon < 0 || !Number.isInteger(port) || port < 1) return undefined
  const host = text.slice(0, colon)
  return host === "?" ? undefined : { host: host === "" ? asked.host : host, port }
}
