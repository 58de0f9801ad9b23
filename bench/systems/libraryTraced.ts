/**
 * This library with a tracer that samples nothing. Metrics are kept always.
 */
import * as Layer from "effect/Layer"
import * as Tracer from "effect/Tracer"
import { makeSystem } from "./library.ts"

export const system = makeSystem(Layer.succeed(
  Tracer.Tracer,
  Tracer.make({ span: (options) => new Tracer.NativeSpan({ ...options, sampled: false }) })
))
