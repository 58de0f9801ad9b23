/** A tracer for tests. */
import * as Tracer from "effect/Tracer"

/** A tracer that adds each span to `spans` when it ends. */
export const spanRecorder = (spans: Array<Tracer.Span>): Tracer.Tracer =>
  Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      const end = span.end.bind(span)
      span.end = (time, exit) => {
        end(time, exit)
        spans.push(span)
      }
      return span
    }
  })
