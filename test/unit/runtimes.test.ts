/** What README.md says of the runtimes that CI tries is what `npm run test:node` tries. */
import { assert, describe, it } from "vitest"
import { runtimes } from "../../scripts/runtimes.ts"
import { read } from "../support/repository.ts"

/** `Node 22, 24 and 26, Bun 1.4, Deno 2.9`. A minor version of Bun or Deno may change what programs see. */
const listed = (): string => {
  const node = runtimes.filter(({ name }) => name === "Node").map(({ version }) => version.split(".")[0])
  const others = runtimes.filter(({ name }) => name !== "Node")
    .map(({ name, version }) => `${name} ${version.split(".").slice(0, 2).join(".")}`)
  return [`Node ${node.slice(0, -1).join(", ")} and ${node.at(-1)}`, ...others].join(", ")
}

describe("README.md", () => {
  it("names the runtimes that scripts/runtimes.ts has", () => {
    assert.include(read("README.md"), `CI tries ${listed()}, `)
  })

  it("needs no newer Node than the oldest that is tried", () => {
    const { engines } = JSON.parse(read("package.json")) as { engines: { node: string } }
    const oldest = runtimes.filter(({ name }) => name === "Node").map(({ version }) => version.split(".")[0])[0]
    assert.strictEqual(engines.node, `>=${oldest}`)
    assert.include(read("README.md"), `runs on Node ${oldest} or newer`)
  })
})

describe("the runtimes", () => {
  it("have exact versions, so that a commit always runs on the same ones", () => {
    for (const { name, version } of runtimes) assert.match(version, /^\d+\.\d+\.\d+$/, name)
  })
})
