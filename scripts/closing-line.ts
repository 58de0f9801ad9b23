/**
 * A reporter beside vitest's own. As the very last line of a run it writes
 * `N passed, N failed`, and `, N skipped` when there are any, for programs
 * that read the output. A test file that does not load and an error outside of any test
 * count as failed; a run in which no test ran has failed.
 */
import type { Reporter, SerializedError, TestModule } from "vitest/node"

export default class ClosingLine implements Reporter {
  /** The line of a run that breaks off, for instance in the global set-up. */
  #line = "0 passed, 1 failed"

  onInit(): void {
    process.once("exit", () => process.stdout.write(`${this.#line}\n`))
  }

  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandled: ReadonlyArray<SerializedError>): void {
    const counts = { passed: 0, failed: unhandled.length, skipped: 0, pending: 0 }
    for (const module of modules) {
      for (const test of module.children.allTests()) counts[test.result().state] += 1
      counts.failed += module.errors().length
    }
    const skipped = counts.skipped + counts.pending
    this.#line = `${counts.passed} passed, ${counts.failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`
    if (counts.passed + counts.failed === 0) process.exitCode = 1
  }
}
