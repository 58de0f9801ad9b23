/**
 * The code of `dist`: all modules in three files, behind the entries that package.json exports. The declarations are tsc's.
 *
 * Node's loader takes about a millisecond a file, whatever stands in it: the hundred modules one by one took 100 ms over
 * the import of what they need, in one file half of it (bench/scenarios/startUp.ts).
 */
import { globSync } from "node:fs"
import { defineConfig } from "rolldown"

const modules = globSync("{*,testing/*}.ts", { cwd: "src" })

export default defineConfig({
  input: Object.fromEntries(modules.map((file) => [file.replace(/\.ts$/, ""), `./src/${file}`])),
  external: /^[^./]/,
  platform: "node",
  // Rolldown asks for it where a group leaves its dependencies to others; the entries hold nothing but exports.
  preserveEntrySignatures: "allow-extension",
  transform: { target: "node22" },
  output: {
    dir: "dist",
    format: "esm",
    sourcemap: true,
    // Docstrings are in the declarations. Annotations tell bundlers what an application does not use.
    comments: { jsdoc: false, annotation: true, legal: true },
    chunkFileNames: "internal/[name].js",
    codeSplitting: {
      includeDependenciesRecursively: false,
      groups: [
        // Only the kit for tests makes connections that fail.
        { name: "testing", test: /src\/(testing\/|internal\/testing\/)/, priority: 2 },
        // `RedisMemory` imports it when a server is made.
        { name: "memory", test: /src\/internal\/(memory\/|scripts\/[a-zA-Z]+\.twin\.ts)/, priority: 1 },
        { name: "core", test: /src\//, priority: 0 }
      ]
    }
  }
})
