/** Caches one value for each key. */
export const memo = <K, A>(make: (key: K) => A): (key: K) => A => {
  const made = new Map<K, A>()
  return (key) => {
    let value = made.get(key)
    if (value === undefined) {
      value = make(key)
      made.set(key, value)
    }
    return value
  }
}
