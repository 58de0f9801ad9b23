/**
 * The package as its users get it, in an empty project: packed, installed from the tarball, its peers linked to the copies
 * that this repository has. Nothing comes over the network.
 */
import { execFileSync } from "node:child_process"
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"

const root = dirname(import.meta.dirname)
const peers = ["effect", "ioredis", "@effect/platform-node", "@types/node"]

/** Packs (which builds first, by the script `prepack`) and installs into a folder that exists and is empty. */
export const installPacked = (project: string): void => {
  const npm = (cwd: string, ...args: ReadonlyArray<string>) =>
    execFileSync("npm", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })
  const tarball = npm(root, "pack", "--silent", "--pack-destination", project).trim().split("\n").at(-1) ?? ""
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "empty", private: true, type: "module" }))
  npm(project, "install", "--offline", "--legacy-peer-deps", "--no-audit", "--no-fund", `./${tarball}`)
  for (const name of peers) {
    const target = join(project, "node_modules", name)
    mkdirSync(dirname(target), { recursive: true })
    symlinkSync(join(root, "node_modules", name), target, "dir")
  }
}
