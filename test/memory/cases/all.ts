/** Cases of the memory server alone: commands and details that the library does not rely on. */
import type { Case } from "../../../src/testing/conformance/case.ts"
import * as blocking from "./blocking.ts"
import * as collections from "./collections.ts"
import * as connection from "./connection.ts"
import * as groups from "./groups.ts"
import { luaCases } from "./lua.ts"
import { scriptingCases } from "./scripting.ts"
import { streamCases } from "./streams.ts"
import * as strings from "./strings.ts"

export const memoryCases: ReadonlyArray<Case> = [
  ...Object.values(connection).flat(),
  ...Object.values(strings).flat(),
  ...Object.values(collections).flat(),
  ...streamCases,
  ...Object.values(groups).flat(),
  ...Object.values(blocking).flat(),
  ...scriptingCases,
  ...luaCases
]
