/** Dead letters: what failed, grouped by why; then the letters of a group. */
import { useState } from "preact/hooks"
import * as api from "../api.ts"
import type { DryRun, Groups, Letters } from "../api.ts"
import { brief, clock, count, plural, reasons } from "../format.ts"
import { Card, Shown, Table, Text, Time } from "../parts.tsx"
import { Link, type Place, serviceUrl, useData, useLive } from "../state.tsx"
import { announce, close, Dialog, open, Steps, VerbButton } from "../verbs.tsx"
import { actionUrl } from "./lists.tsx"

interface Filter {
  readonly reason?: string
  readonly actionType?: string
  readonly errorType?: string
}

const filterOf = (query: URLSearchParams): Filter => {
  const filter: Record<string, string> = {}
  for (const name of ["reason", "actionType", "errorType"]) {
    const value = query.get(name)
    if (value !== null) filter[name] = value
  }
  return filter
}

export const lettersUrl = (service: string, filter: Filter, cursor?: string): string =>
  serviceUrl(service, `/dead/letters${api.queryOf({ ...filter, cursor })}`)

// -----------------------------------------------------------------------------
// all that match
// -----------------------------------------------------------------------------

/** The rate is read at each step, so that it may be changed while a replay goes on. */
const Rate = ({ rate }: { readonly rate: { perSecond: number } }) => (
  <fieldset class="fields">
    <label>
      Letters a second{" "}
      <input
        type="number"
        min="0.1"
        max="10000"
        step="any"
        required
        defaultValue={String(rate.perSecond)}
        onInput={(event) => {
          rate.perSecond = Number(event.currentTarget.value)
        }}
      />
    </label>
  </fieldset>
)

/** Goes in steps of about two seconds, so that it can be stopped. */
const replayStep = (service: string, filter: Filter, before: string, rate: { readonly perSecond: number }) => () =>
  api.verb(
    service,
    {
      verb: "replayMatching",
      ...filter,
      before,
      limit: Math.min(500, Math.max(1, Math.round(rate.perSecond * 2))),
      ratePerSecond: rate.perSecond
    } as api.Verb
  )

const discardStep = (service: string, filter: Filter, before: string) => () =>
  api.verb(service, { verb: "discardMatching", ...filter, before, limit: 500 } as api.Verb)

const AllThatMatch = ({ filter, replay, service }: {
  readonly service: string
  readonly filter: Filter
  readonly replay: boolean
}) => {
  const { now, refresh, session } = useLive()
  if (session === undefined || session.readOnly) return null
  const name = replay ? "Replay all" : "Discard all"
  const ask = () => {
    const before = new Date(now).toISOString()
    const rate = { perSecond: 50 }
    open(
      <Steps
        name={name}
        danger={!replay}
        refresh={refresh}
        question={replay
          ? "Sends every letter that matches again, oldest first. Letters that fail again come back as new ones and are left."
          : "Removes every letter that matches, for good."}
        fields={replay ? <Rate rate={rate} /> : undefined}
        step={replay ? replayStep(service, filter, before, rate) : discardStep(service, filter, before)}
      />
    )
  }
  return <button type="button" class={replay ? "primary" : "danger"} onClick={ask}>{name}…</button>
}

// -----------------------------------------------------------------------------
// dry runs
// -----------------------------------------------------------------------------

const Trial = ({ checked, failing, passing }: DryRun) => (
  <Dialog title="Dry run">
    <p>
      {`${count(passing)} of ${plural(checked, "letter")} would reach ${checked === 1 ? "its" : "their"} handler. No handler was run.`}
    </p>
    {failing.length > 0 && (
      <Table label="Letters that would fail" columns={[["Type"], ["Why"], ["Letters", "number"]]}>
        {failing.map(({ actionType, count: letters, issue, reason }) => (
          <tr key={`${reason} ${actionType} ${issue}`}>
            <th scope="row"><Text>{actionType}</Text></th>
            <td class="wrap">{`${reasons[reason] ?? reason}: ${issue}`}</td>
            <td class="number">{count(letters)}</td>
          </tr>
        ))}
      </Table>
    )}
    <div class="row end"><button type="button" onClick={close}>Close</button></div>
  </Dialog>
)

const DryRunButton = ({ filter, service }: { readonly service: string; readonly filter: Filter }) => {
  const [busy, setBusy] = useState(false)
  const run = () => {
    setBusy(true)
    api.get<DryRun>(serviceUrl(service, "/dead/dry-run"), { ...filter }).then(
      (result) => open(<Trial {...result} />),
      (error: Error) => announce(error.message, true)
    ).finally(() => setBusy(false))
  }
  return <button type="button" disabled={busy} onClick={run}>Dry run</button>
}

// -----------------------------------------------------------------------------
// pages
// -----------------------------------------------------------------------------

export const GroupsPage = ({ service }: { readonly service: string }) => {
  const data = useData<Groups>(serviceUrl(service, "/dead/groups"))
  return (
    <>
      <div class="title">
        <h1><Link to={serviceUrl(service)}>{service}</Link>: dead letters</h1>
      </div>
      <Card
        title={data.value === undefined
          ? "By reason"
          : `${plural(data.value.total, "letter")} as of ${clock(data.value.asOf)}`}
        actions={<DryRunButton service={service} filter={{}} />}
      >
        <Shown data={data} empty={({ groups }) => groups.length === 0 ? "Nothing has failed for good" : undefined}>
          {({ groups }) => (
            <Table
              label="Groups of dead letters"
              columns={[["Letters", "number"], ["Why"], ["Error"], ["Type"], ["Newest"], ["Oldest"]]}
            >
              {groups.map((group) => {
                const filter: Filter = {
                  reason: group.reason,
                  ...(group.actionType === null ? {} : { actionType: group.actionType }),
                  ...(group.errorType === null ? {} : { errorType: group.errorType })
                }
                return (
                  <tr key={JSON.stringify(filter)}>
                    <td class="number warn"><Link to={lettersUrl(service, filter)}>{count(group.count)}</Link></td>
                    <th scope="row">
                      <Link to={lettersUrl(service, filter)}>{reasons[group.reason] ?? group.reason}</Link>
                    </th>
                    <td><Text>{group.errorType}</Text></td>
                    <td><Text>{group.actionType}</Text></td>
                    <td><Time at={group.newest} past /></td>
                    <td><Time at={group.oldest} past /></td>
                  </tr>
                )
              })}
            </Table>
          )}
        </Shown>
      </Card>
    </>
  )
}

export const LettersPage = ({ place: { query }, service }: { readonly service: string; readonly place: Place }) => {
  const filter = filterOf(query)
  const cursor = query.get("cursor") ?? undefined
  const data = useData<Letters>(serviceUrl(service, "/dead/letters"), { ...filter, limit: 50, cursor })
  const { session } = useLive()
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set())
  const shown = data.value?.letters.map(({ id }) => id) ?? []
  const ids = shown.filter((id) => chosen.has(id))
  const choose = (id: string, is: boolean) => {
    const next = new Set(chosen)
    if (is) next.add(id)
    else next.delete(id)
    setChosen(next)
  }
  const none = () => setChosen(new Set())
  return (
    <>
      <div class="title">
        <h1>
          <Link to={serviceUrl(service)}>{service}</Link>: <Link to={serviceUrl(service, "/dead")}>dead letters</Link>
        </h1>
        <div class="row">
          {Object.entries(filter).map(([name, value]) => (
            <span class="badge" key={name}>{name === "reason" ? reasons[value] ?? value : value}</span>
          ))}
        </div>
      </div>
      <Card
        title={ids.length === 0 ? "Letters, newest first" : `${ids.length} selected`}
        actions={ids.length === 0
          ? (
            <>
              <DryRunButton service={service} filter={filter} />
              <AllThatMatch service={service} filter={filter} replay={false} />
              <AllThatMatch service={service} filter={filter} replay />
            </>
          )
          : (
            <>
              <VerbButton
                danger
                service={service}
                verb={() => ({ verb: "discard", ids })}
                question={`Removes ${plural(ids.length, "letter")} for good.`}
                done={none}
              >
                Discard selected
              </VerbButton>
              <VerbButton
                service={service}
                verb={() => ({ verb: "replay", ids })}
                question={`Sends ${plural(ids.length, "action")} again, and removes ${ids.length === 1 ? "the letter" : "the letters"}.`}
                done={none}
              >
                Replay selected
              </VerbButton>
            </>
          )}
      >
        <Shown data={data} empty={({ letters }) => letters.length === 0 ? "No letter matches" : undefined}>
          {({ cursor: next, letters }) => (
            <>
              <label class="pad row">
                <input
                  type="checkbox"
                  checked={ids.length === letters.length}
                  onChange={(event) => setChosen(new Set(event.currentTarget.checked ? shown : []))}
                />
                {`All ${letters.length} on this page`}
              </label>
              <Table
                label="Dead letters"
                columns={[
                  ["Select", "hidden"],
                  ["When"],
                  ["Error"],
                  ["Message"],
                  ["Type"],
                  ["Action"],
                  ["Attempts", "number"]
                ]}
              >
                {letters.map((letter) => (
                  <tr key={letter.id}>
                    <td>
                      <input
                        type="checkbox"
                        aria-label={`Select the letter ${letter.id}`}
                        disabled={session?.readOnly === true}
                        checked={chosen.has(letter.id)}
                        onChange={(event) => choose(letter.id, event.currentTarget.checked)}
                      />
                    </td>
                    <td><Time at={letter.time} past /></td>
                    <th scope="row"><Text>{letter.errorType}</Text></th>
                    <td class="wide"><Text>{letter.message}</Text></td>
                    <td><Text>{letter.actionType}</Text></td>
                    <td class="code">
                      <Link
                        to={letter.entryId === null && letter.actionId !== null
                          ? actionUrl(service, letter.actionId, "action")
                          : actionUrl(service, letter.entryId ?? letter.id, "entry")}
                      >
                        <span class="text" title={letter.actionId ?? letter.id}>{brief(letter.actionId ?? letter.id)}</span>
                      </Link>
                    </td>
                    <td class="number">{letter.attempts}</td>
                  </tr>
                ))}
              </Table>
              <div class="row pad">
                {cursor !== undefined && <Link to={lettersUrl(service, filter)}>First page</Link>}
                {next !== null && <Link to={lettersUrl(service, filter, next)}>Next page</Link>}
              </div>
            </>
          )}
        </Shown>
      </Card>
    </>
  )
}
