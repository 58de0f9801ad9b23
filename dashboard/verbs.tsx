/** What changes something: the buttons, the questions before them, and what came of it. */
import type { ComponentChildren } from "preact"
import { useEffect, useRef, useState } from "preact/hooks"
import type { Done, Verb } from "./api.ts"
import * as api from "./api.ts"
import { Problem } from "./parts.tsx"
import { useLive } from "./state.tsx"

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
          <span class="text">{notice.text}</span>
          <button type="button" aria-label="Close this message" onClick={() => setNotice(undefined)}>×</button>
        </>
      )}
    </div>
  )
}

// -----------------------------------------------------------------------------
// dialogs
// -----------------------------------------------------------------------------

let show: (content: ComponentChildren) => void = () => undefined

/**
 * Opens a dialog. It belongs to the page and not to the row with the button: an update that takes the row away leaves
 * the question where it is.
 */
export const open = (content: ComponentChildren): void => show(content)
export const close = (): void => show(undefined)

export const Dialogs = () => {
  const [content, setContent] = useState<ComponentChildren>()
  show = setContent
  return <>{content}</>
}

/** The focus returns to the button that opened it, if it is still there. */
export const Dialog = (
  { children, title, left }: {
    readonly title: string
    readonly children: ComponentChildren
    /** Called when the user leaves it. */
    readonly left?: () => void
  }
) => {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const before = document.activeElement
    const element = dialog.current
    element?.showModal()
    return () => {
      // What is behind an open dialog cannot get the focus.
      element?.close()
      if (before instanceof HTMLElement && before.isConnected) before.focus()
    }
  }, [])
  return (
    <dialog
      ref={dialog}
      aria-label={title}
      onClose={() => {
        left?.()
        close()
      }}
    >
      <h2>{title}</h2>
      {children}
    </dialog>
  )
}

interface Asked {
  readonly name: string
  readonly service: string
  readonly verb: () => Verb
  readonly question: string
  readonly danger: boolean
  readonly done: ((done: Done) => void) | undefined
  readonly refresh: () => void
  /** Fields that the verb reads. */
  readonly fields?: ComponentChildren
}

const outcome = (name: string, { done, left, notes }: Done): string => {
  const told = notes[0] === undefined ? "" : `. ${notes[0]}`
  return left === 0 ? notes[0] ?? `${name}: ${done} done` : `${name}: ${done} done, ${left} left as they were${told}`
}

const Question = ({ danger, done, fields, name, question, refresh, service, verb }: Asked) => {
  const [busy, setBusy] = useState(false)
  const [failure, setFailure] = useState<string>()
  const run = () => {
    setBusy(true)
    setFailure(undefined)
    api.verb(service, verb()).then((result) => {
      close()
      announce(outcome(name, result), result.done === 0 && result.left > 0)
      done?.(result)
      refresh()
    }, (error: Error) => {
      setFailure(error.message)
      refresh()
    }).finally(() => setBusy(false))
  }
  return (
    <Dialog title={name}>
      <p>{question}</p>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          run()
        }}
      >
        {fields}
        {failure !== undefined && <Problem>{failure}</Problem>}
        <div class="row end">
          <button type="button" onClick={close}>Keep as it is</button>
          <button type="submit" class={danger ? "danger" : "primary"} disabled={busy}>{name}</button>
        </div>
      </form>
    </Dialog>
  )
}

/** A button that does a verb after a question, and says what came of it. */
export const VerbButton = (
  { children, danger = false, disabled = false, done, fields, of, question, service, verb }: {
    readonly service: string
    readonly verb: () => Verb
    readonly question: string
    readonly fields?: ComponentChildren
    readonly danger?: boolean
    readonly disabled?: boolean
    readonly done?: (done: Done) => void
    /** What it is done to, for those who hear the button without its row. */
    readonly of?: string
    readonly children: string
  }
) => {
  const { refresh, session } = useLive()
  if (session === undefined || session.readOnly) return null
  return (
    <button
      type="button"
      class={danger ? "danger" : undefined}
      disabled={disabled}
      aria-label={of === undefined ? undefined : `${children} ${of}`}
      onClick={() =>
        open(
          <Question
            name={children}
            service={service}
            verb={verb}
            question={question}
            danger={danger}
            done={done}
            refresh={refresh}
            fields={fields}
          />
        )}
    >
      {children}
    </button>
  )
}

/** Does a verb in steps, so that it can be stopped, and shows how far it is. */
export const Steps = ({ danger, fields, name, question, ready = true, refresh, step }: {
  readonly name: string
  readonly question: string
  readonly danger: boolean
  readonly fields?: ComponentChildren
  readonly ready?: boolean
  readonly refresh: () => void
  /** Is called until it has done nothing. */
  readonly step: () => Promise<Done>
}) => {
  const [progress, setProgress] = useState<{ readonly done: number; readonly left: number; readonly ended: boolean }>()
  const [failure, setFailure] = useState<string>()
  const stopped = useRef(false)
  const run = async () => {
    setFailure(undefined)
    let [done, left] = [0, 0]
    setProgress({ done, left, ended: false })
    try {
      while (!stopped.current) {
        const result = await step()
        done += result.done
        left = result.left
        setProgress({ done, left, ended: false })
        if (result.done === 0) break
      }
    } catch (error) {
      setFailure(error instanceof Error ? error.message : "It failed")
    }
    setProgress({ done, left, ended: true })
    announce(`${name}: ${done.toLocaleString("en")} done${left === 0 ? "" : `, ${left} left as they were`}`)
    refresh()
  }
  return (
    <Dialog
      title={name}
      left={() => {
        stopped.current = true
      }}
    >
      <p>{question}</p>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          void run()
        }}
      >
        {fields}
        {progress !== undefined && (
          <p role="status">
            {`${progress.ended ? "Ended" : "Working"}: ${progress.done.toLocaleString("en")} done, ${progress.left} left`}
          </p>
        )}
        {failure !== undefined && <Problem>{failure}</Problem>}
        <div class="row end">
          <button type="button" onClick={close}>
            {progress !== undefined && !progress.ended ? "Stop" : "Close"}
          </button>
          <button type="submit" class={danger ? "danger" : "primary"} disabled={!ready || progress !== undefined}>
            {name}
          </button>
        </div>
      </form>
    </Dialog>
  )
}
