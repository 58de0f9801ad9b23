/** What pages are made of. */
import type { ComponentChildren } from "preact"
import { useEffect, useRef, useState } from "preact/hooks"
import type { Done, Verb } from "./api.ts"
import * as api from "./api.ts"
import { full, relative } from "./format.ts"
import { type Data, useLive } from "./state.tsx"

/** A list may be newer than the time that the page knows, so what is over is never in the future. */
export const Time = ({ at, past }: { readonly at: string | null | undefined; readonly past?: boolean }) => {
  const live = useLive()
  const now = past === true && typeof at === "string" ? Math.max(live.now, Date.parse(at)) : live.now
  return at === null || at === undefined
    ? <span class="quiet">–</span>
    : <time dateTime={at} title={full(at)}>{relative(at, now)}</time>
}

export const Text = ({ children }: { readonly children: string | null | undefined }) =>
  children === null || children === undefined || children === ""
    ? <span class="quiet">–</span>
    : <span class="text" title={children.length > 40 ? children : undefined}>{children}</span>

export const Problem = ({ children }: { readonly children: ComponentChildren }) => (
  <p class="problem" role="alert">{children}</p>
)

export const Shown = <A,>(
  { children, data, empty }: {
    readonly data: Data<A>
    readonly children: (value: A) => ComponentChildren
    readonly empty?: (value: A) => string | undefined
  }
) => {
  const none = data.value === undefined ? undefined : empty?.(data.value)
  return (
    <>
      {data.failure !== undefined && <Problem>{data.failure}</Problem>}
      {data.value === undefined
        ? data.failure === undefined && <p class="quiet pad" aria-busy="true">Loading…</p>
        : none === undefined
        ? children(data.value)
        : <p class="quiet pad">{none}</p>}
    </>
  )
}

export const Card = (
  { actions, children, title }: {
    readonly title: string
    readonly actions?: ComponentChildren
    readonly children: ComponentChildren
  }
) => (
  <section class="card" aria-label={title}>
    <header>
      <h2>{title}</h2>
      <div class="row">{actions}</div>
    </header>
    {children}
  </section>
)

/** A table that scrolls in itself on a narrow screen. */
export const Table = (
  { children, columns, label }: {
    readonly label: string
    readonly columns: ReadonlyArray<readonly [title: string, kind?: "number" | "hidden" | undefined]>
    readonly children: ComponentChildren
  }
) => (
  <div class="scroll" tabIndex={0} role="region" aria-label={label}>
    <table>
      <thead>
        <tr>
          {columns.map(([title, kind]) => (
            <th scope="col" class={kind === "number" ? "number" : undefined} key={title}>
              {kind === "hidden" ? <span class="hidden">{title}</span> : title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  </div>
)

/** A dialog that asks before something is done. */
export const Dialog = (
  { children, close, title }: {
    readonly title: string
    readonly close: () => void
    readonly children: ComponentChildren
  }
) => {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog ref={dialog} aria-label={title} onClose={close}>
      <h2>{title}</h2>
      {children}
    </dialog>
  )
}

/** A button that does a verb, after a question if there is one, and says what came of it. */
export const VerbButton = (
  { children, danger, disabled, done, question, service, verb }: {
    readonly service: string
    readonly verb: () => Verb
    readonly question?: string
    readonly danger?: boolean
    readonly disabled?: boolean
    readonly done?: (done: Done) => void
    readonly children: string
  }
) => {
  const { refresh, session } = useLive()
  const [asking, setAsking] = useState(false)
  const [busy, setBusy] = useState(false)
  const [failure, setFailure] = useState<string>()
  const run = () => {
    setBusy(true)
    setFailure(undefined)
    api.verb(service, verb()).then((result) => {
      setAsking(false)
      announce(result.notes[0] ?? `${children}: ${result.done} done`)
      refresh()
      done?.(result)
    }, (error: Error) => question === undefined ? announce(error.message, true) : setFailure(error.message))
      .finally(() => setBusy(false))
  }
  if (session?.readOnly === true) return null
  return (
    <>
      <button
        type="button"
        class={danger === true ? "danger" : undefined}
        disabled={disabled === true || busy}
        onClick={() => question === undefined ? run() : setAsking(true)}
      >
        {children}
      </button>
      {asking && (
        <Dialog title={children} close={() => setAsking(false)}>
          <p>{question}</p>
          {failure !== undefined && <Problem>{failure}</Problem>}
          <div class="row end">
            <button type="button" onClick={() => setAsking(false)}>Keep as it is</button>
            <button type="button" class={danger === true ? "danger" : "primary"} disabled={busy} onClick={run}>
              {children}
            </button>
          </div>
        </Dialog>
      )}
    </>
  )
}

// -----------------------------------------------------------------------------
// what came of it
// -----------------------------------------------------------------------------

interface Notice {
  readonly text: string
  readonly bad: boolean
}

let tell: (notice: Notice) => void = () => undefined

/** Says it at the edge of the page, and to a screen reader. */
export const announce = (text: string, bad = false): void => tell({ text, bad })

export const Notices = () => {
  const [notice, setNotice] = useState<Notice>()
  tell = setNotice
  return (
    <div class={notice?.bad === true ? "notice bad" : "notice"} role="status" aria-live="polite">
      {notice !== undefined && (
        <>
          <span>{notice.text}</span>
          <button type="button" aria-label="Close this message" onClick={() => setNotice(undefined)}>×</button>
        </>
      )}
    </div>
  )
}
