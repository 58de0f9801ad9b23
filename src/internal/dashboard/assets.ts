/** The files of the page, which the build puts beside the code. They are read once. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"

export class MissingAssets extends Data.TaggedError("MissingAssets")<{ readonly message: string }> {}

export interface Assets {
  readonly html: string
  readonly script: string
  readonly style: string
}

// In the package, the code is in dist/internal and the files are in dist/dashboard. In the repository, `npm run build`
// writes them to the same place.
const folder = new URL(
  import.meta.url.endsWith(".ts") ? "../../../dist/dashboard/" : "../dashboard/",
  import.meta.url
)

export const load: Effect.Effect<Assets, MissingAssets> = Effect.tryPromise({
  try: async () => {
    const { readFile } = await import("node:fs/promises")
    const [html, script, style] = await Promise.all(
      ["index.html", "app.js", "app.css"].map((name) => readFile(new URL(name, folder), "utf8"))
    )
    return { html: html!, script: script!, style: style! }
  },
  catch: () =>
    new MissingAssets({
      message: `The files of the dashboard are not in ${folder.pathname}. In the repository, run \`npm run build\``
    })
})
