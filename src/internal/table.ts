/**
 * A map from ids to values for what comes and goes by the thousand a second.
 *
 * V8's `Map` replaces its table every so many deletions, and each old table goes on pointing to the next one. Once one of
 * them is in the old generation, every table after it is kept until a full collection of garbage, with all that was in it.
 * Here the tables hold numbers, and the values are in an array that forgets them: collecting the young generation takes
 * 1 ms instead of 10.
 */
export interface Table<A> {
  readonly get: (id: string) => A | undefined
  readonly set: (id: string, value: A) => void
  readonly delete: (id: string) => void
  readonly has: (id: string) => boolean
  readonly size: () => number
  readonly ids: () => ReadonlyArray<string>
  readonly values: () => ReadonlyArray<A>
}

export const make = <A extends object>(): Table<A> => {
  const places = new Map<string, number>()
  const values: Array<A | undefined> = []
  const free: Array<number> = []
  return {
    get: (id) => {
      const place = places.get(id)
      return place === undefined ? undefined : values[place]
    },
    set: (id, value) => {
      let place = places.get(id)
      if (place === undefined) {
        place = free.pop() ?? values.length
        places.set(id, place)
      }
      values[place] = value
    },
    delete: (id) => {
      const place = places.get(id)
      if (place === undefined) return
      places.delete(id)
      values[place] = undefined
      free.push(place)
    },
    has: (id) => places.has(id),
    size: () => places.size,
    ids: () => [...places.keys()],
    values: () => values.filter((value) => value !== undefined)
  }
}
