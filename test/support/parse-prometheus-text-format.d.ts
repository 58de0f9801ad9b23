/** What the tests use of a package that brings no types. */
declare module "parse-prometheus-text-format" {
  interface Family {
    readonly name: string
    readonly help: string
    readonly type: string
    readonly metrics: ReadonlyArray<{
      readonly value?: string
      readonly buckets?: { readonly [bound: string]: string }
      readonly labels?: { readonly [name: string]: string }
    }>
  }
  const parse: (text: string) => ReadonlyArray<Family>
  export default parse
}
