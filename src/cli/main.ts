#!/usr/bin/env node
/**
 * The bin `redis-workers`. Everything else is loaded from here, so that a missing peer is one line and no stack, and
 * importing the package loads nothing of it.
 */
import { readFileSync } from "node:fs"
import process from "node:process"

/** The name of a package that cannot be found, from the error of an import. */
const missing = (error: unknown): string | undefined => {
  if (!(error instanceof Error) || !("code" in error) || error.code !== "ERR_MODULE_NOT_FOUND") return undefined
  return /Cannot find package '((?:@[^/']+\/)?[^/']+)/.exec(error.message)?.[1]
}

// `redis-workers list | head`: the reader of the pipe has what it wanted.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 3))

try {
  // As deep in `src` as in `dist`.
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    readonly version: string
  }
  const { run } = await import("./run.ts")
  run(version)
} catch (error) {
  const name = missing(error)
  if (name === undefined) throw error
  process.stderr.write(`redis-workers needs ${name}, which is not installed: npm install ${name}\n`)
  process.exitCode = 2
}
