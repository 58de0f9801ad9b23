/** The pauses of a service, and how to make and end them. */
import { useId } from "preact/hooks"
import type { Overview, Verb } from "../api.ts"
import { full } from "../format.ts"
import { Time } from "../parts.tsx"
import { useLive } from "../state.tsx"
import { VerbButton } from "../verbs.tsx"

const units = [["minutes", 60_000], ["seconds", 1_000], ["hours", 3_600_000]] as const

/** The fields of a pause. They are read when it is sent, so that nothing is drawn again while somebody types. */
const Fields = ({ found, types }: {
  readonly types: ReadonlyArray<string>
  readonly found: { form: HTMLFieldSetElement | null }
}) => {
  const list = useId()
  return (
    <fieldset
      class="fields"
      ref={(element) => {
        found.form = element
      }}
    >
      <label>
        Type <input name="type" list={list} placeholder="the whole service" autocomplete="off" />
      </label>
      <datalist id={list}>{types.map((type) => <option value={type} key={type} />)}</datalist>
      <label>
        Ends after <input name="amount" type="number" min="0" step="any" placeholder="until it is resumed" />
      </label>
      <label>
        Unit{" "}
        <select name="unit">{units.map(([name, size]) => <option value={size} key={name}>{name}</option>)}</select>
      </label>
      <label>
        Reason <input name="reason" maxLength={200} placeholder="What others should know" autocomplete="off" />
      </label>
    </fieldset>
  )
}

const verbOf = (form: HTMLFieldSetElement | null): Verb => {
  const value = (name: string): string =>
    form?.querySelector<HTMLInputElement | HTMLSelectElement>(`[name=${name}]`)?.value.trim() ?? ""
  const [type, amount, reason] = [value("type"), value("amount"), value("reason")]
  return {
    verb: "pause",
    ...(type === "" ? {} : { actionType: type }),
    ...(amount === "" ? {} : { for: Number(amount) * Number(value("unit")) }),
    ...(reason === "" ? {} : { reason })
  }
}

const PauseButton = ({ service, types }: { readonly service: string; readonly types: ReadonlyArray<string> }) => {
  const found: { form: HTMLFieldSetElement | null } = { form: null }
  return (
    <VerbButton
      service={service}
      verb={() => verbOf(found.form)}
      question={`Workers of ${service} take nothing more of this type, or nothing at all. What runs now ends.`}
      fields={<Fields types={types} found={found} />}
    >
      Pause
    </VerbButton>
  )
}

export const Pauses = ({ overview: { pauses, service }, types }: {
  readonly overview: Overview
  readonly types: ReadonlyArray<string>
}) => {
  const { session } = useLive()
  return (
    <div class="row">
      {pauses.map(({ actionType, reason, until }) => (
        <span class="badge note" key={actionType}>
          <span class="text">{`${actionType ?? "service"} paused${reason === "" ? "" : `: ${reason}`}`}</span>
          {until !== null && <span title={full(until)}>{"ends "}<Time at={until} /></span>}
          {session?.readOnly === false && (
            <VerbButton
              service={service}
              of={actionType ?? service}
              verb={() => actionType === null ? { verb: "resume" } : { verb: "resume", actionType }}
              question={`Workers take actions of ${actionType ?? service} again.`}
            >
              Resume
            </VerbButton>
          )}
        </span>
      ))}
      <PauseButton service={service} types={types} />
    </div>
  )
}
