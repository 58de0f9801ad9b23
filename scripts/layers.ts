/**
 * `npm run check:layers`: imports in `src` run downwards.
 *
 * A room is a folder of `src/internal` together with the public modules that face it. A module imports from its own room
 * and from rooms on lower floors. A public module may be imported from anywhere for its types alone, which is Effect's own
 * way: a module and its machinery share types.
 */
import { globSync, readFileSync } from "node:fs"
import { dirname, relative, resolve } from "node:path"

/** The floors from the ground up, and the rooms on each: a folder of `src/internal`, then the public modules before it. */
const floors: ReadonlyArray<Readonly<Record<string, ReadonlyArray<string>>>> = [
  { base: ["Redis", "WorkerError", "Metrics"] },
  { wire: ["ActionId", "DomainAction", "HandlerError", "Receipt"] },
  {
    contract: ["Action", "ActionContext", "ActionGroup", "Delivery", "Settlement"],
    redis: ["QueueNaming", "Settings"]
  },
  { scripts: [], ioredis: ["IoRedis"] },
  { schedules: ["Schedules"], lanes: ["Lanes"] },
  { worker: ["Worker", "Health"], client: ["ActionClient"], deadLetter: ["DeadLetter"], memory: ["RedisMemory"] },
  { inspector: ["Inspector"] },
  { dashboard: ["Dashboard"] },
  { testing: ["testing"] },
  { everything: ["index"], cli: ["cli"] }
]

interface Room {
  readonly name: string
  readonly floor: number
}

const roomOfFolder = new Map<string, Room>()
const roomOfModule = new Map<string, Room>()
floors.forEach((rooms, floor) => {
  for (const [name, modules] of Object.entries(rooms)) {
    roomOfFolder.set(name, { name, floor })
    for (const module of modules) roomOfModule.set(module, { name, floor })
  }
})

const isInternal = (file: string): boolean => file.startsWith("src/internal/")

const roomOf = (file: string): Room | undefined => {
  const [first = "", folder = ""] = file.replace("src/", "").split("/")
  return first === "internal" ? roomOfFolder.get(folder) : roomOfModule.get(first.replace(/\.ts$/, ""))
}

interface Import {
  readonly target: string
  readonly typeOnly: boolean
}

const statement =
  /^(?:import|export)\s+(type\s)?([^"']*?)from\s+"(\.[^"]+)"|^import\s+"(\.[^"]+)"|\bimport\("(\.[^"]+)"\)/gm

const onlyTypes = (names: string): boolean => {
  const members = /^\{([^}]*)\}$/s.exec(names.trim())?.[1]
  return members !== undefined && members.split(",").every((name) => /^\s*(?:type\s.*)?$/s.test(name))
}

const importsOf = (file: string): ReadonlyArray<Import> =>
  [...readFileSync(file, "utf8").matchAll(statement)].map(([, type, names = "", from, bare, dynamic]) => ({
    target: relative(".", resolve(dirname(file), from ?? bare ?? dynamic ?? "")),
    typeOnly: type !== undefined || (from !== undefined && onlyTypes(names))
  }))

const faults: Array<string> = []
for (const file of globSync("src/**/*.ts").sort()) {
  if (/^src\/internal\/[^/]+\.ts$/.test(file)) faults.push(`${file} belongs in a folder of src/internal`)
  const room = roomOf(file)
  if (room === undefined) {
    faults.push(`${file} is in no room: add its folder, or the public module, to scripts/layers.ts`)
    continue
  }
  for (const { target, typeOnly } of importsOf(file)) {
    const other = roomOf(target)
    if (other === undefined || other.name === room.name || other.floor < room.floor) continue
    if (typeOnly && !isInternal(target)) continue
    faults.push(
      `${file} (${room.name}, floor ${room.floor}) imports ${target} (${other.name}, floor ${other.floor}): ` +
        "imports run downwards. Move what is shared to a lower room, or import only the types of a public module"
    )
  }
}

for (const fault of faults) process.stdout.write(`${fault}\n`)
process.exitCode = faults.length === 0 ? 0 : 1
