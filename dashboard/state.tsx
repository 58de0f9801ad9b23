/** The URL, the live stream, and data that follows both. */
import { type ComponentChildren, createContext } from "preact"
import { useCallback, useContext, useEffect, useRef, useState } from "preact/hooks"
import { base, Failure, get, type Query, type Services, type Session } from "./api.ts"

// -----------------------------------------------------------------------------
// the URL
// -----------------------------------------------------------------------------

export interface Place {
  readonly path: ReadonlyArray<string>
  readonly query: URLSearchParams
}

/** A broken URL is a page that does not exist. */
const decoded = (part: string): string => {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

const placeOf = (): Place => ({
  path: location.pathname.slice(base.length).split("/").filter((part) => part !== "").map(decoded),
  query: new URLSearchParams(location.search)
})

export const go = (to: string, replace = false): void => {
  if (replace) history.replaceState(null, "", base + to)
  else history.pushState(null, "", base + to)
  dispatchEvent(new PopStateEvent("popstate"))
  if (replace) return
  scrollTo(0, 0)
  // The link that had the focus is gone with its page.
  document.getElementById("main")?.focus({ preventScroll: true })
}

export const usePlace = (): Place => {
  const [place, setPlace] = useState(placeOf)
  useEffect(() => {
    const listen = () => setPlace(placeOf())
    addEventListener("popstate", listen)
    return () => removeEventListener("popstate", listen)
  }, [])
  return place
}

export const Link = (
  { children, class: name, current, label, to }: {
    readonly to: string
    readonly class?: string
    readonly current?: boolean
    /** What a screen reader says in place of the text. */
    readonly label?: string
    readonly children: ComponentChildren
  }
) => (
  <a
    href={base + to}
    {...(name === undefined ? {} : { class: name })}
    aria-current={current === true ? "page" : undefined}
    aria-label={label}
    onClick={(event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return
      event.preventDefault()
      go(to)
    }}
  >
    {children}
  </a>
)

export const serviceUrl = (service: string, rest = ""): string => `/services/${encodeURIComponent(service)}${rest}`

// -----------------------------------------------------------------------------
// live
// -----------------------------------------------------------------------------

/** A service at one of the moments since the page was opened. */
export interface Sample {
  readonly time: number
  readonly waiting: number
  readonly running: number
  readonly retrying: number
  readonly dead: number
}

/** Half an hour, with an update every two seconds. */
const samplesKept = 900

const sampled = (history: Map<string, Array<Sample>>, { services }: Services): void => {
  for (const { asOf, deadLetters, lag, length, retrying, running, service } of services) {
    const samples = history.get(service) ?? []
    const time = Date.parse(asOf)
    if (samples.length > 0 && samples.at(-1)!.time >= time) continue
    samples.push({ time, waiting: lag ?? length, running, retrying, dead: deadLetters })
    history.set(service, samples.slice(-samplesKept))
  }
}

export interface Live {
  /** What the page saw of each service since it was opened. */
  readonly history: ReadonlyMap<string, ReadonlyArray<Sample>>
  readonly services: Services | undefined
  /** Grows with every update, and is still while updates are paused. */
  readonly tick: number
  /** The server's time, as far as this page knows. */
  readonly now: number
  readonly asOf: string | undefined
  readonly paused: boolean
  readonly trouble: string | undefined
  readonly session: Session | undefined
  readonly setPaused: (paused: boolean) => void
  /** Reads everything again, at once. */
  readonly refresh: () => void
}

export const LiveContext = createContext<Live>(undefined as never)
export const useLive = (): Live => useContext(LiveContext)

export const useLiveStream = (): Live => {
  const [services, setServices] = useState<Services>()
  const [session, setSession] = useState<Session>()
  const [tick, setTick] = useState(0)
  const [asOf, setAsOf] = useState<string>()
  const [paused, setPaused] = useState(() => new URLSearchParams(location.search).get("live") === "off")
  const [trouble, setTrouble] = useState<string>()

  const history = useRef(new Map<string, Array<Sample>>())
  const show = useCallback((found: Services) => {
    sampled(history.current, found)
    setServices(found)
    setAsOf(found.services[0]?.asOf ?? new Date().toISOString())
    setTick((before) => before + 1)
    setTrouble(undefined)
  }, [])
  const refresh = useCallback(() => {
    get<Services>("/services").then(show, (error: Error) => setTrouble(error.message))
  }, [show])

  useEffect(() => {
    get<Session>("/session").then(setSession, (error: Error) => setTrouble(error.message))
    refresh()
  }, [refresh])
  useEffect(() => {
    if (paused) return
    const source = new EventSource(`${base}/api/live`)
    source.addEventListener("services", (event) => show(JSON.parse((event as MessageEvent<string>).data) as Services))
    source.addEventListener("trouble", (event) => {
      setTrouble((JSON.parse((event as MessageEvent<string>).data) as { message: string }).message)
    })
    source.addEventListener("error", () => setTrouble("No updates: the dashboard's server does not answer"))
    return () => source.close()
  }, [paused, show])

  const now = asOf === undefined ? Date.now() : Date.parse(asOf)
  return { history: history.current, services, session, tick, asOf, now, paused, trouble, setPaused, refresh }
}

// -----------------------------------------------------------------------------
// data
// -----------------------------------------------------------------------------

export interface Data<A> {
  readonly value: A | undefined
  readonly failure: string | undefined
}

/** Data of the API. It is read again with every update, if `follow` says so; the old value stays until the new one is here. */
export const useData = <A,>(path: string, query: Query = {}, follow = true, round = 0): Data<A> => {
  const { tick } = useLive()
  const key = path + JSON.stringify(query)
  const [data, setData] = useState<Data<A> & { readonly key: string }>({ key, value: undefined, failure: undefined })
  const busy = useRef<string | undefined>(undefined)
  useEffect(() => {
    // An update while the one before is still on its way is left out, so that a slow server is not asked more and more.
    if (busy.current === key) return
    busy.current = key
    get<A>(path, query).then(
      (value) => busy.current === key && setData({ key, value, failure: undefined }),
      (error: unknown) => {
        if (busy.current !== key) return
        const failure = error instanceof Failure ? error.message : "The page failed to show this"
        setData((before) => ({ key, value: before.key === key ? before.value : undefined, failure }))
      }
    ).finally(() => {
      if (busy.current === key) busy.current = undefined
    })
  }, [key, round, follow ? tick : 0])
  return data.key === key ? data : { value: undefined, failure: undefined }
}
