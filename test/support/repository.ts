/** The files of this repository that tests read. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

export const root = join(import.meta.dirname, "../..")

export const read = (path: string): string => readFileSync(join(root, path), "utf8")

/** Paths of the files in a folder and below whose names end so. */
export const files = (folder: string, ending: string): ReadonlyArray<string> =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(ending)).map((name) => join(folder, name)).toSorted()

/** The documentation. */
export const pages = [...files("docs", ".md"), "README.md", "CONTRIBUTING.md", "CHANGELOG.md", ".changeset/README.md"]

export const sources = files("src", ".ts")
