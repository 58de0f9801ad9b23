/** What pages are made of. */
import type { ComponentChildren } from "preact"
import { useState } from "preact/hooks"
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
    : <span class="text" title={children.length > 30 ? children : undefined}>{children}</span>

export const Problem = ({ children }: { readonly children: ComponentChildren }) => (
  <p class="problem" role="alert">{children}</p>
)

/** A field with a button. What is typed counts without the spaces around it. */
export const Ask = (
  { button, label, onAsk, role, start = "" }: {
    readonly label: string
    readonly button: string
    readonly role?: "search"
    readonly start?: string
    readonly onAsk: (typed: string) => void
  }
) => {
  const [typed, setTyped] = useState(start)
  return (
    <form
      class="row"
      role={role}
      onSubmit={(event) => {
        event.preventDefault()
        onAsk(typed.trim())
      }}
    >
      <input
        aria-label={label}
        placeholder={label}
        value={typed}
        onInput={(event) => setTyped(event.currentTarget.value)}
      />
      <button type="submit">{button}</button>
    </form>
  )
}

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

export type Column = readonly [title: string, kind?: "number" | "hidden" | undefined]

/** A table that scrolls in itself on a narrow screen. */
export const Table = (
  { children, columns, label }: {
    readonly label: string
    readonly columns: ReadonlyArray<Column>
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
