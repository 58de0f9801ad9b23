/** Parses an address of Redis and removes the credentials from the text, so that it is safe to print. */
import * as Result from "effect/Result"
import { typeName } from "../base/typeName.ts"

export interface RedisAddress {
  /** Without credentials and without ignored parameters. */
  readonly url: string
  readonly tls: boolean
  readonly host: string
  /** `undefined` if the text has none. */
  readonly port: number | undefined
  /** `undefined` if the text has none. */
  readonly db: number | undefined
  /** The unix socket. Host and port are not used then. */
  readonly path: string | undefined
  readonly username: string | undefined
  readonly password: string | undefined
  /** Names of the ignored parameters. */
  readonly ignored: ReadonlyArray<string>
}

export const expectedRedisUrl =
  "redis://[user:password@]host[:port][/database], the same with rediss:// for TLS, or unix:///path/to/redis.sock[?db=1]"

/** The log line about ignored parameters. `name` is the variable or option that holds the URL. */
export const ignoredParameters = (name: string, ignored: ReadonlyArray<string>): string =>
  `${name} has parameters that are ignored: ${ignored.join(", ")}. ` +
  "Remove them, and set the options of this library instead"

interface Parameters {
  readonly db: number | undefined
  readonly ignored: ReadonlyArray<string>
}

const databasePattern = /^\d{1,9}$/

/** Other clients accept their own options here. Only the database has the same meaning in all of them. */
const parametersOf = (search: string): Result.Result<Parameters, string> => {
  // A password with a bare "?" ends up here, with its beginning in the place of the host.
  if (search.includes("@")) {
    return Result.fail("a URL with an \"@\" after the \"?\" (percent-encode a \"?\" in the password as %3F)")
  }
  let db: number | undefined
  const ignored: Array<string> = []
  for (const [name, value] of new URLSearchParams(search)) {
    const lower = name.toLowerCase()
    if (lower === "db" || lower === "virtual_host") {
      const text = value.replace(/^\//, "")
      if (!databasePattern.test(text)) return Result.fail(`a URL whose parameter "${lower}" is not a database number`)
      if (db !== undefined && db !== Number(text)) return Result.fail("a URL with two database numbers")
      db = Number(text)
    } else if (/^(user|username|pass|password)$/.test(lower)) {
      return Result.fail(`a URL with the parameter "${lower}" (put user and password before the host)`)
    } else if (/^(tls|ssl)$/.test(lower) && !/^(false|0|no|off|)$/i.test(value)) {
      // Ignored, it would send the password in clear.
      return Result.fail(`a URL with the parameter "${lower}" (use rediss:// for TLS)`)
    } else {
      ignored.push(/^[\w.-]{1,60}$/.test(name) ? name : "one with an unusual name")
    }
  }
  return Result.succeed({ db, ignored })
}

const decoded = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

const present = (text: string | undefined): string | undefined => text === "" ? undefined : text

const unreadable = "a URL that cannot be read (percent-encode special characters in user and password)"

/** `unix://` as in redis-py, `redis+socket://` as in Celery, or the bare path as in ioredis. */
const parseSocket = (rest: string): Result.Result<RedisAddress, string> => {
  const match = /^(?:([^/?#@]*)@)?([^?#]*)(\?[^#]*)?(#.*)?$/s.exec(rest)
  if (match === null) return Result.fail(unreadable)
  const [, credentials = "", rawPath = "", search = "", hash] = match
  if (hash !== undefined) return Result.fail("a URL with a fragment (percent-encode a \"#\" in the password as %23)")
  const colon = credentials.indexOf(":")
  const username = decoded(colon < 0 ? credentials : credentials.slice(0, colon))
  const password = decoded(colon < 0 ? "" : credentials.slice(colon + 1))
  const path = decoded(rawPath)
  if (username === undefined || password === undefined || path === undefined) return Result.fail(unreadable)
  if (!/^\/.+/s.test(path) || path.includes("\0")) {
    return Result.fail("a URL of a unix socket without an absolute path, such as unix:///run/redis.sock")
  }
  return Result.map(parametersOf(search), ({ db, ignored }) => ({
    url: `unix://${rawPath}${db === undefined ? "" : `?db=${db}`}`,
    tls: false,
    host: "localhost",
    port: undefined,
    db,
    path,
    username: present(username),
    password: present(password),
    ignored
  }))
}

/** The address, or a description of the invalid value that repeats no part of a possible secret. */
export const parseRedisUrl = (value: unknown): Result.Result<RedisAddress, string> => {
  if (typeof value !== "string") return Result.fail(typeName(value))
  if (value.startsWith("/")) return parseSocket(value)
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(value)?.[1]?.toLowerCase()
  if (scheme === undefined) return Result.fail("not a URL")
  if (scheme === "unix" || scheme === "redis+unix" || scheme === "redis+socket") {
    return parseSocket(value.slice(scheme.length + "://".length))
  }
  if (scheme !== "redis" && scheme !== "rediss") return Result.fail(`a URL with the scheme "${scheme}://"`)
  let url: URL
  try {
    url = new URL(value)
  } catch {
    return Result.fail(unreadable)
  }
  const username = decoded(url.username)
  const password = decoded(url.password)
  if (username === undefined || password === undefined) return Result.fail(unreadable)
  if (url.hostname === "") return Result.fail("a URL without a host")
  if (!/^\/?\d{0,9}$/.test(url.pathname)) return Result.fail("a URL whose path is not a database number")
  if (url.hash !== "") return Result.fail("a URL with a fragment (percent-encode a \"#\" in the password as %23)")
  const inPath = url.pathname.length > 1 ? Number(url.pathname.slice(1)) : undefined
  return Result.flatMap(parametersOf(url.search), (parameters) => {
    if (inPath !== undefined && parameters.db !== undefined && inPath !== parameters.db) {
      return Result.fail("a URL with two database numbers")
    }
    const db = inPath ?? parameters.db
    return Result.succeed({
      url: `${scheme}://${url.host}${db === undefined ? "" : `/${db}`}`,
      tls: scheme === "rediss",
      // URLs write IPv6 addresses in brackets, sockets take them without.
      host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
      port: url.port === "" ? undefined : Number(url.port),
      db,
      path: undefined,
      username: present(username),
      password: present(password),
      ignored: parameters.ignored
    })
  })
}
