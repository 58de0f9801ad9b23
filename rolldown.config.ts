/**
 * The code of `dist`: all modules in four files, behind the entries that package.json exports. The declarations are tsc's.
 *
 * Node's loader takes about a millisecond a file, whatever stands in it: the hundred modules one by one took 100 ms over
 * the import of what they need, in one file half of it (bench/scenarios/startUp.ts).
 */
import { globSync, readFileSync } from "node:fs"
import { defineConfig, type Plugin } from "rolldown"

const modules = globSync("{*,testing/*}.ts", { cwd: "src" })

const isFengari = /(?:^|node_modules\/)fengari\//
const isSprintf = /(?:^|node_modules\/)sprintf-js/

/**
 * The Lua VM of the memory server is bundled: users install no further package, and its changes (`memory/lua/patches.ts`)
 * reach nobody else's copy. Its libraries for files, processes and debugging stay out.
 */
const fengari: Plugin = {
  name: "fengari",
  load: (id) => id.endsWith("/fengari/src/lualib.js") ? "exports.lua_assert = () => {}" : undefined
}

/** The licences of what is bundled. */
const licences = ["fengari", "sprintf-js"]
  .map((name) => `/*!\n${name}:\n${readFileSync(`node_modules/${name}/LICENSE`, "utf8").trim()}\n*/`)
  .join("\n")

export default defineConfig({
  input: {
    ...Object.fromEntries(modules.map((file) => [file.replace(/\.ts$/, ""), `./src/${file}`])),
    "cli/main": "./src/cli/main.ts"
  },
  external: (id) => /^[^./]/.test(id) && !isFengari.test(id) && !isSprintf.test(id),
  plugins: [fengari],
  // The package's own files have no side effects; those that change fengari, and fengari itself, have.
  treeshake: { moduleSideEffects: (id) => /\/memory\/lua\/|\/cli\/main\.ts/.test(id) || /\/node_modules\//.test(id) },
  platform: "node",
  // Rolldown asks for it where a group leaves its dependencies to others; the entries hold nothing but exports.
  preserveEntrySignatures: "allow-extension",
  transform: { target: "node22" },
  output: {
    dir: "dist",
    format: "esm",
    postBanner: (chunk) => chunk.name === "memory" ? licences : "",
    sourcemap: true,
    // Docstrings are in the declarations. Annotations tell bundlers what an application does not use.
    comments: { jsdoc: false, annotation: true, legal: true },
    chunkFileNames: "internal/[name].js",
    codeSplitting: {
      includeDependenciesRecursively: false,
      groups: [
        // Only the kit for tests makes connections that fail.
        { name: "testing", test: /src\/(testing\/|internal\/testing\/)/, priority: 2 },
        // The bin is alone, so that it can say which peer is missing, and imports the rest of the command line.
        { name: "cli", test: /src\/cli\/(?!main\.ts)/, priority: 2 },
        // `RedisMemory` imports it when a server is made.
        { name: "memory", test: /src\/internal\/memory\/|node_modules\/(?:fengari|sprintf-js)\//, priority: 1 },
        // `Dashboard` imports it when a dashboard is served.
        { name: "dashboard", test: /src\/internal\/dashboard\/(?!assets|guard)/, priority: 1 },
        { name: "core", test: /src\/(?!cli\/main\.ts)/, priority: 0 }
      ]
    }
  }
})
