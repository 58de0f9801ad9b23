/**
 * Every script of the library, found among what its modules export.
 */
import { readdirSync } from "node:fs"
import { join } from "node:path"

interface Found {
  /** `settle` */
  readonly name: string
  readonly lua: string
}

const folder = join(import.meta.dirname, "../../src/internal/scripts")

const modules: ReadonlyArray<Readonly<Record<string, unknown>>> = await Promise.all(
  readdirSync(folder).map((file) => import(join(folder, file)))
)

export const libraryScripts: ReadonlyArray<Found> = modules.flatMap((module) =>
  Object.entries(module).flatMap(([name, value]) =>
    typeof value === "object" && value !== null && "script" in value && "lua" in value
      ? [{ name, lua: String(value.lua) }]
      : []
  )
)
