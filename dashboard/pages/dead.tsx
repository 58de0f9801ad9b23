/** Dead letters: what failed, grouped by why; then the letters of a group. */
import { useRef, useState } from "preact/hooks"
import * as api from "../api.ts"
import type { DryRun, Groups, Letters } from "../api.ts"
import { clock, count, reasons } from "../format.ts"
import { announce, Card, Dialog, Problem, Shown, Table, Text, Time, VerbButton } from "../parts.tsx"
import { Link, type Place, serviceUrl, useData, useLive } from "../state.tsx"

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

/** Goes in steps of at most 500, so that it can be stopped, and shows how far it is. */
const AllThatMatch = ({ filter, replay, service }: {
  readonly service: string
  readonly filter: Filter
  readonly replay: boolean
}) => {
  const { now, refresh, session } = useLive()
  const [open, setOpen] = useState(false)
  const [rate, setRate] = useState("50")
  const [progress, setProgress] = useState<{ readonly done: number; readonly left: number; readonly ended: boolean }>()
  const [failure, setFailure] = useState<string>()
  const stopped = useRef(false)
  const name = replay ? "Replay all" : "Discard all"
  const ratePerSecond = Number(rate)
  const valid = !replay || (ratePerSecond >= 0.1 && ratePerSecond <= 10_000)

  const run = async () => {
    stopped.current = false
    setFailure(undefined)
    const before = new Date(now).toISOString()
    const limit = replay ? Math.min(500, Math.max(1, Math.round(ratePerSecond * 2))) : 500
    const shared = { ...filter, before, limit } as const
    let sum = 0
    let left = 0
    setProgress({ done: 0, left: 0, ended: false })
    try {
      while (!stopped.current) {
        const result = await api.verb(
          service,
          (replay
            ? { verb: "replayMatching", ...shared, ratePerSecond }
            : { verb: "discardMatching", ...shared }) as api.Verb
        )
        sum += result.done
        left += result.left
        setProgress({ done: sum, left, ended: false })
        if (result.done === 0) break
      }
    } catch (error) {
      setFailure(error instanceof Error ? error.message : "It failed")
    }
    setProgress({ done: sum, left, ended: true })
    announce(`${name}: ${count(sum)} done${left === 0 ? "" : `, ${count(left)} left as they were`}`)
    refresh()
  }

  if (session?.readOnly === true) return null
  return (
    <>
      <button
        type="button"
        class={replay ? "primary" : "danger"}
        onClick={() => {
          setProgress(undefined)
          setOpen(true)
        }}
      >
        {name}…
      </button>
      {open && (
        <Dialog
          title={name}
          close={() => {
            stopped.current = true
            setOpen(false)
          }}
        >
          <p>
            {replay
              ? "Sends every letter that matches again, oldest first. Letters that fail again come back as new ones and are left."
              : "Removes every letter that matches, for good."}
          </p>
          {replay && (
            <label>
              Letters a second{" "}
              <input type="number" min="0.1" step="any" value={rate} onInput={(e) => setRate(e.currentTarget.value)} />
            </label>
          )}
          {progress !== undefined && (
            <p role="status">
              {`${progress.ended ? "Ended" : "Working"}: ${count(progress.done)} done, ${count(progress.left)} left`}
            </p>
          )}
          {failure !== undefined && <Problem>{failure}</Problem>}
          <div class="row end">
            <button
              type="button"
              onClick={() => {
                stopped.current = true
                setOpen(false)
              }}
            >
              {progress !== undefined && !progress.ended ? "Stop" : "Close"}
            </button>
            <button
              type="button"
              class={replay ? "primary" : "danger"}
              disabled={!valid || progress !== undefined}
              onClick={() => void run()}
            >
              {name}
            </button>
          </div>
        </Dialog>
      )}
    </>
  )
}

const DryRunButton = ({ filter, service }: { readonly service: string; readonly filter: Filter }) => {
  const [result, setResult] = useState<DryRun>()
  const [busy, setBusy] = useState(false)
  return (
    <>
      <button
        type="button"
        disabled={busy}
        onClick={() => {
          setBusy(true)
          api.get<DryRun>(serviceUrl(service, "/dead/dry-run"), { ...filter }).then(
            setResult,
            (error: Error) => announce(error.message, true)
          ).finally(() => setBusy(false))
        }}
      >
        Dry run
      </button>
      {result !== undefined && (
        <Dialog title="Dry run" close={() => setResult(undefined)}>
          <p>
            {`${count(result.passing)} of ${count(result.checked)} letters would reach their handler. No handler was run.`}
          </p>
          {result.failing.length > 0 && (
            <Table label="Letters that would fail" columns={[["Type"], ["Why"], ["Letters", "number"]]}>
              {result.failing.map(({ actionType, count: letters, issue, reason }) => (
                <tr key={`${reason} ${actionType} ${issue}`}>
                  <th scope="row"><Text>{actionType}</Text></th>
                  <td>{`${reasons[reason] ?? reason}: ${issue}`}</td>
                  <td class="number">{count(letters)}</td>
                </tr>
              ))}
            </Table>
          )}
          <div class="row end">
            <button type="button" onClick={() => setResult(undefined)}>Close</button>
          </div>
        </Dialog>
      )}
    </>
  )
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
          : `${count(data.value.total)} letters as of ${clock(data.value.asOf)}`}
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
                question={`Removes ${ids.length} letters for good.`}
                done={none}
              >
                Discard selected
              </VerbButton>
              <VerbButton
                service={service}
                verb={() => ({ verb: "replay", ids })}
                question={`Sends ${ids.length} actions again.`}
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
              <Table
                label="Dead letters"
                columns={[["Select", "hidden"], ["When"], ["Error"], ["Message"], ["Type"], ["Action"], [
                  "Attempts",
                  "number"
                ]]}
              >
                {letters.map((letter) => (
                  <tr key={letter.id}>
                    <td>
                      <input
                        type="checkbox"
                        aria-label={`Select the letter ${letter.id}`}
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
                        to={serviceUrl(
                          service,
                          letter.entryId === null && letter.actionId !== null
                            ? `/actions/${encodeURIComponent(letter.actionId)}?by=action`
                            : `/actions/${encodeURIComponent(letter.entryId ?? letter.id)}?by=entry`
                        )}
                      >
                        {letter.actionId ?? letter.id}
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
