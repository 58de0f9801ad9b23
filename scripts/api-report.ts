/**
 * `npm run api:report`: writes api-report.md, all exports of the package with their types, from the declarations in dist.
 * `npm run check:api` compares it instead, so that a change of the surface is seen in review.
 *
 * What is not exported but named by an export (a base class, a type of an internal module) is part of the surface too: a
 * user sees it in an editor, and a change of it can break a program. It is listed behind the exports of its module.
 */
import ts from "@tsd/typescript"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"

const root = dirname(import.meta.dirname)
const dist = join(root, "dist")
const file = "api-report.md"

const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  exports: { readonly [path: string]: string | { readonly types: string } }
}
/** The path that a user imports, and its declarations. */
const entries = Object.entries(exports).flatMap(([path, target]) =>
  typeof target === "string" ? [] : [[path.replace(/^\./, "effect-redis-workers"), join(root, target.types)] as const]
)
const missing = entries.find(([, path]) => !existsSync(path))
if (missing !== undefined) {
  throw new Error(
    `${relative(root, missing[1])} is missing: run \`npm run build\` before \`node scripts/api-report.ts\``
  )
}

const program = ts.createProgram(entries.map(([, path]) => path), {
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  target: ts.ScriptTarget.ES2023,
  types: ["node"],
  skipLibCheck: true,
  noEmit: true
})
const checker = program.getTypeChecker()
const printer = ts.createPrinter({ removeComments: true, newLine: ts.NewLineKind.LineFeed })

/** A declaration as a statement of its own: a variable with its `declare const`. */
const statementOf = (declaration: ts.Node): ts.Node =>
  ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration

const resolved = (symbol: ts.Symbol): ts.Symbol =>
  (symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol)

/** Statements of a symbol in this package. */
const statementsOf = (symbol: ts.Symbol): ReadonlyArray<ts.Node> =>
  (resolved(symbol).declarations ?? []).filter((declaration) => declaration.getSourceFile().fileName.startsWith(dist))
    .map(statementOf)

const print = (node: ts.Node): string =>
  printer.printNode(ts.EmitHint.Unspecified, node, node.getSourceFile()).replace(/^(?:export )?(?:declare )?/, "")
    .replaceAll(/\n +/g, (indent) => indent.replaceAll("    ", "  "))

/** Names of symbols that a statement mentions. */
const mentioned = (statement: ts.Node): ReadonlyArray<ts.Symbol> => {
  const found: Array<ts.Symbol> = []
  const visit = (node: ts.Node): void => {
    const symbol = ts.isIdentifier(node) ? checker.getSymbolAtLocation(node) : undefined
    if (symbol !== undefined) found.push(symbol)
    ts.forEachChild(node, visit)
  }
  visit(statement)
  return found
}

/** Only what stands by itself: no parameters, members or type parameters. */
const standsAlone = (node: ts.Node): boolean => ts.isSourceFile(node.parent)

const moduleOf = (path: string) => {
  const source = program.getSourceFile(path)
  const symbol = source === undefined ? undefined : checker.getSymbolAtLocation(source)
  if (symbol === undefined) throw new Error(`${relative(root, path)} exports nothing`)
  return checker.getExportsOfModule(symbol)
}

/** All that some module exports, by its statements. */
const exported = new Set(entries.flatMap(([, path]) => moduleOf(path).flatMap(statementsOf)))
const byText = (a: string, b: string): number => a < b ? -1 : a > b ? 1 : 0

const lines = [
  "# Exports",
  "",
  "All exports of the package with their types, written by `npm run api:report`. A change of this file is a change of the",
  "public surface."
]
/** Statements that no module exports are listed once, where they are met first. */
const listed = new Set<ts.Node>()
for (const [name, path] of entries) {
  const own: Array<string> = []
  const behind: Array<string> = []
  const pending: Array<ts.Node> = []
  for (const symbol of moduleOf(path)) {
    const statements = statementsOf(symbol)
    const from = statements[0]?.getSourceFile().fileName
    const other = entries.find(([, other]) => other !== path && other === from)?.[0]
    const original = resolved(symbol).name === symbol.name ? symbol.name : `${resolved(symbol).name} as ${symbol.name}`
    if (from === undefined) own.push(`export { ${original} } // of another package`)
    else if (other === undefined) own.push(...statements.map(print))
    else if (statements.some(ts.isSourceFile)) own.push(`export * as ${symbol.name} from "${other}"`)
    else own.push(`export { ${original} } from "${other}"`)
    if (other === undefined) pending.push(...statements)
  }
  for (let statement = pending.pop(); statement !== undefined; statement = pending.pop()) {
    for (const used of mentioned(statement).flatMap(statementsOf)) {
      if (exported.has(used) || listed.has(used) || ts.isSourceFile(used) || !standsAlone(used)) continue
      listed.add(used)
      behind.push(print(used))
      pending.push(used)
    }
  }
  lines.push("", `## ${name}`, "", "```ts", ...own.sort(byText), "```")
  if (behind.length > 0) lines.push("", "Named by these, and not exported:", "", "```ts", ...behind.sort(byText), "```")
}
const text = `${lines.join("\n")}\n`

if (process.argv.includes("--check")) {
  const before = existsSync(join(root, file)) ? readFileSync(join(root, file), "utf8").split("\n") : []
  const now = text.split("\n")
  const at = now.findIndex((line, index) => line !== before[index])
  if (at >= 0 || before.length !== now.length) {
    const line = at >= 0 ? at : now.length
    process.stdout.write(
      `${file} is not what the declarations say, from line ${line + 1} on:\n` +
        `- ${before[line] ?? "(nothing)"}\n+ ${now[line] ?? "(nothing)"}\n` +
        "Run `npm run api:report`, look at the difference, and commit it if the change of the surface is meant.\n"
    )
    process.exit(1)
  }
} else {
  writeFileSync(join(root, file), text)
}
