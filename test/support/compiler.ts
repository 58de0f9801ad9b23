/**
 * TypeScript 5.9, the oldest compiler that users may have, as an editor runs it: diagnostics with their places, and the
 * text that hovering over a name shows.
 *
 * The repository itself is compiled with TypeScript 7, which has no such interface.
 */
import ts from "@tsd/typescript"
import { dirname, join } from "node:path"

const root = dirname(dirname(import.meta.dirname))

interface Diagnostic {
  readonly file: string
  /** From 1. */
  readonly line: number
  /** What is underlined. */
  readonly text: string
  readonly message: string
}

interface Hover {
  /** What the name is: its type as it is shown. */
  readonly signature: string
  readonly documentation: string
  /** The file in which the name is defined. */
  readonly definedIn: string
}

export interface Editor {
  readonly version: string
  readonly diagnostics: (file: string) => ReadonlyArray<Diagnostic>
  /** Hovers over the first place of the text, at its beginning. */
  readonly hover: (file: string, place: string) => Hover
}

/** Opens files of the repository; those with a text exist nowhere else. */
export const open = (files: { readonly [path: string]: string | undefined }): Editor => {
  const texts = new Map(Object.entries(files).map(([path, text]) => [join(root, path), text]))
  const read = (path: string): string | undefined => texts.get(path) ?? ts.sys.readFile(path)
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), (path) => ts.sys.readFile(path)) as {
    config: object
  }
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, root)

  const service = ts.createLanguageService({
    getCompilationSettings: () => ({ ...options, plugins: [], skipLibCheck: true }),
    getScriptFileNames: () => [...texts.keys()],
    getScriptVersion: () => "1",
    getScriptSnapshot: (path) => {
      const text = read(path)
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text)
    },
    getCurrentDirectory: () => root,
    getDefaultLibFileName: (options) => ts.getDefaultLibFilePath(options),
    fileExists: (path) => texts.get(path) !== undefined || ts.sys.fileExists(path),
    readFile: read,
    readDirectory: (...args) => ts.sys.readDirectory(...args),
    directoryExists: (path) => ts.sys.directoryExists(path),
    getDirectories: (path) => ts.sys.getDirectories(path),
    realpath: (path) => ts.sys.realpath?.(path) ?? path
  })

  return {
    version: ts.version,
    diagnostics: (file) => {
      const path = join(root, file)
      return [...service.getSyntacticDiagnostics(path), ...service.getSemanticDiagnostics(path)].map((found) => {
        const source = found.file!
        const start = found.start!
        return {
          file,
          line: source.getLineAndCharacterOfPosition(start).line + 1,
          text: source.text.slice(start, start + found.length!),
          message: ts.flattenDiagnosticMessageText(found.messageText, "\n")
        }
      })
    },
    hover: (file, place) => {
      const path = join(root, file)
      const at = read(path)!.indexOf(place)
      if (at === -1) throw new Error(`no ${JSON.stringify(place)} in ${file}`)
      const info = service.getQuickInfoAtPosition(path, at)
      return {
        signature: ts.displayPartsToString(info?.displayParts),
        documentation: ts.displayPartsToString(info?.documentation),
        definedIn: service.getDefinitionAtPosition(path, at)?.[0]?.fileName.slice(root.length + 1) ?? ""
      }
    }
  }
}
