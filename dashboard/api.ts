/** Requests to the API. All text from the server stays text: nothing here makes HTML of it. */
import type * as models from "../src/internal/dashboard/models.ts"

/** What a value is after its way as JSON: there is no `undefined` there. */
type Json<A> = A extends undefined ? null
  : A extends ReadonlyArray<infer B> ? ReadonlyArray<Json<B>>
  : A extends object ? { readonly [K in keyof A]: Json<A[K]> }
  : A

export type Overview = Json<typeof models.Overview.Encoded>
export type Glance = Json<typeof models.Glance.Encoded>
export type Matching = Json<typeof models.Matching.Encoded>
export type Services = Json<typeof models.Services.Encoded>
export type Session = Json<typeof models.Session.Encoded>
export type Entries = Json<typeof models.Entries.Encoded>
export type Entry = Json<typeof models.Entry.Encoded>
export type Found = Json<typeof models.Found.Encoded>
export type LaneNames = Json<typeof models.LaneNames.Encoded>
export type Lanes = Json<typeof models.Lanes.Encoded>
export type Groups = Json<typeof models.LetterGroups.Encoded>
export type Letters = Json<typeof models.Letters.Encoded>
export type DryRun = Json<typeof models.DryRun.Encoded>
export type Statistics = Json<typeof models.Statistics.Encoded>
export type Schedules = Json<typeof models.Schedules.Encoded>
export type Audit = Json<typeof models.Audit.Encoded>
export type Verb = typeof models.Verb.Encoded
export type Done = Json<typeof models.Done.Encoded>

export const base = document.body.dataset["base"] ?? ""

/** A failure, in words for the user. */
export class Failure extends Error {}

const failureOf = async (response: Response): Promise<Failure> => {
  const text = await response.text()
  try {
    const body = JSON.parse(text) as { readonly message?: unknown }
    if (typeof body.message === "string") return new Failure(body.message)
  } catch {
    // Not JSON: the text itself says what is wrong.
  }
  return new Failure(text.trim() === "" ? `The server answered ${response.status}` : text.slice(0, 500))
}

const fetched = async (path: string, init?: RequestInit): Promise<unknown> => {
  let response: Response
  try {
    response = await fetch(`${base}/api${path}`, init)
  } catch {
    throw new Failure("The dashboard's server does not answer")
  }
  if (!response.ok) throw await failureOf(response)
  return response.json()
}

export type Query = { readonly [name: string]: string | number | undefined }

export const queryOf = (query: Query): string => {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined) params.set(name, String(value))
  const text = params.toString()
  return text === "" ? "" : `?${text}`
}

export const get = <A>(path: string, query: Query = {}, signal?: AbortSignal): Promise<A> =>
  fetched(path + queryOf(query), signal === undefined ? {} : { signal }) as Promise<A>

export const verb = (service: string, body: Verb): Promise<Done> =>
  fetched(`/services/${encodeURIComponent(service)}/verbs`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-redis-workers": "dashboard" },
    body: JSON.stringify(body)
  }) as Promise<Done>
