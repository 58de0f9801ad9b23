/**
 * Runs once before the tests of each project, in vitest's main process; the processes of the test files inherit the
 * environment that it leaves.
 */

/** What {@link Settings} reads, so that no test depends on the shell or reaches a server that is not its own. */
const settings =
  /^(?:SERVICE_NAME|ENVIRONMENT|QUEUE_PREFIX|NUM_INTERNAL_WORKERS|REQUEST_TIMEOUT|REDIS_(?!SERVER$).*|WORKER_.*)$/

export default function setup(): void {
  for (const name of Object.keys(process.env)) {
    if (settings.test(name)) delete process.env[name]
  }
}
