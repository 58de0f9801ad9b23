/**
 * Tools for tests of workers and handlers. Do not use them in a running service.
 *
 * @since 0.1.0
 */
export * as Conformance from "./Conformance.ts"
export * as RecordedClient from "./RecordedClient.ts"
export * as RedisFaults from "./RedisFaults.ts"
export * as TestWorker from "./TestWorker.ts"
