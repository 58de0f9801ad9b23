/**
 * Where and with what the figures were taken.
 */
import type { Redis } from "ioredis"
import { existsSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { cpus, platform, release, totalmem } from "node:os"
import { dirname, join } from "node:path"

const versionOf = (name: string, from: string): string | null => {
  // Packages need not export their package.json.
  for (const path of createRequire(from).resolve.paths(name) ?? []) {
    const file = join(path, name, "package.json")
    if (existsSync(file)) return (JSON.parse(readFileSync(file, "utf8")) as { readonly version: string }).version
  }
  return null
}

export const machine = () => ({
  cpu: cpus()[0]?.model ?? "unknown",
  cores: cpus().length,
  memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
  system: `${platform()} ${release()}`
})

export const versions = async (redis: Redis, effectMqFile: string) => {
  const own = join(import.meta.dirname, "../main.ts")
  const effectMq = join(dirname(effectMqFile), "node_modules")
  const server = /(?:valkey|redis)_version:(\S+)/.exec(await redis.info("server"))
  return {
    node: process.version,
    server: server?.[0] ?? "unknown",
    effect: versionOf("effect", own),
    ioredis: versionOf("ioredis", own),
    redis: versionOf("redis", own),
    bullmq: versionOf("bullmq", own),
    "effect-mq": existsSync(join(effectMq, "effect-mq")) ? versionOf("effect-mq", effectMqFile) : null
  }
}
