/** The page: its frame, and which view the URL names. */
import { render } from "preact"
import { useEffect } from "preact/hooks"
import { keepFocus } from "./focus.ts"
import { clock } from "./format.ts"
import { ActionPage } from "./pages/action.tsx"
import { AuditPage } from "./pages/audit.tsx"
import { GroupsPage, LettersPage } from "./pages/dead.tsx"
import { OverviewPage } from "./pages/overview.tsx"
import { ServicePage } from "./pages/service.tsx"
import { Problem } from "./parts.tsx"
import { Dialogs, Notices } from "./verbs.tsx"
import { Link, LiveContext, type Place, useLiveStream, usePlace } from "./state.tsx"

const View = ({ place }: { readonly place: Place }) => {
  const [first, service, third, fourth] = place.path
  if (first === undefined) return <OverviewPage />
  if (first === "audit") return <AuditPage place={place} />
  if (first === "services" && service !== undefined) {
    if (third === undefined) return <ServicePage service={service} place={place} key={service} />
    if (third === "dead" && fourth === undefined) return <GroupsPage service={service} key={service} />
    if (third === "dead" && fourth === "letters") return <LettersPage service={service} place={place} key={place.query.toString()} />
    if (third === "action") return <ActionPage service={service} place={place} key={place.query.toString()} />
  }
  return (
    <>
      <h1>There is no such page</h1>
      <p><Link to="/">All services</Link></p>
    </>
  )
}

const App = () => {
  const live = useLiveStream()
  const place = usePlace()
  const [, ...rest] = place.path
  const title = rest.length > 0 ? rest.join(" · ") : place.path[0] ?? "services"
  useEffect(() => {
    document.title = `${title} · redis-workers`
  }, [title])
  return (
    <LiveContext.Provider value={live}>
      <a class="skip" href="#main">Skip to the content</a>
      <header class="top">
        <Link to="/" class="brand">redis-workers</Link>
        <nav aria-label="Main">
          <Link to="/" current={place.path[0] !== "audit"}>Services</Link>
          <Link to="/audit" current={place.path[0] === "audit"}>Audit</Link>
        </nav>
        <div class="row end">
          {live.session?.readOnly === true && <span class="badge note">read-only</span>}
          <span class="quiet asof">{live.asOf === undefined ? "" : `as of ${clock(live.asOf)}`}</span>
          <button type="button" aria-pressed={live.paused} onClick={() => live.setPaused(!live.paused)}>
            {live.paused ? "Resume updates" : "Pause updates"}
          </button>
          {live.session !== undefined && <span class="quiet user">{live.session.user}</span>}
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        {live.trouble !== undefined && <Problem>{live.trouble}</Problem>}
        <View place={place} />
      </main>
      <Dialogs />
      <Notices />
    </LiveContext.Provider>
  )
}

render(<App />, document.getElementById("app")!)
keepFocus()
