/**
 * An address of Redis taken apart, so that credentials leave the text before anybody can print it.
 */
import * as Result from "effect/Result"

export interface RedisAddress {
  /** Without credentials. */
  readonly url: string
  readonly tls: boolean
  readonly host: string
  readonly port: number
  readonly db: number
  readonly username: string | undefined
  readonly password: string | undefined
}

export const expectedRedisUrl = "redis://[user:password@]host[:port][/database], or the same with rediss:// for TLS"

/** The address, or what was found in its place: a text that repeats no part of a possible secret. */
export const parseRedisUrl = (value: unknown): Result.Result<RedisAddress, string> => {
  if (typeof value !== "string") return Result.fail(`a ${typeof value}`)
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(value)?.[1]?.toLowerCase()
  if (scheme === undefined) return Result.fail("a text that is no URL")
  if (scheme !== "redis" && scheme !== "rediss") return Result.fail(`a URL with the scheme "${scheme}://"`)
  let url: URL
  let username: string
  let password: string
  try {
    url = new URL(value)
    username = decodeURIComponent(url.username)
    password = decodeURIComponent(url.password)
  } catch {
    return Result.fail("a URL that cannot be read (are all special characters of user and password percent-encoded?)")
  }
  if (url.hostname === "") return Result.fail("a URL without a host")
  if (!/^\/?\d{0,9}$/.test(url.pathname)) return Result.fail("a URL whose path is no database number")
  // ioredis would take each as an option and keep it a text, so that `?maxRetriesPerRequest=0` means something else.
  if (url.search !== "") return Result.fail("a URL with parameters after a \"?\"")
  if (url.hash !== "") return Result.fail("a URL with a fragment (is a \"#\" of the password not percent-encoded?)")
  return Result.succeed({
    url: `${scheme}://${url.host}${url.pathname === "/" ? "" : url.pathname}`,
    tls: scheme === "rediss",
    // An IPv6 address stands in brackets in a URL, but not where sockets take it.
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? 6379 : Number(url.port),
    db: Number(url.pathname.slice(1)),
    username: username === "" ? undefined : username,
    password: password === "" ? undefined : password
  })
}
