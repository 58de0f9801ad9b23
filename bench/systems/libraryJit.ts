/**
 * This library in an application that lets Effect compile its schemas.
 */
// oxlint-disable-next-line import/no-unassigned-import -- this is how Effect enables it
import "effect/schema/SchemaJITCompiler/enable"

export { system } from "./library.ts"
