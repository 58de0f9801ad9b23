/**
 * Puts the parts of a worker together: options and settings become consumers, loops, and the order in which they end.
 */
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Metric from "effect/Metric"
import type { Route } from "../../ActionGroup.ts"
import { defaultLimits } from "../../DomainAction.ts"
import * as Metrics from "../../Metrics.ts"
import type { QueueNamingShape } from "../../QueueNaming.ts"
import type { Redis } from "../../Redis.ts"
import type { Values } from "../../Settings.ts"
import type { Policy, Subject } from "../../Settlement.ts"
import type { ConsumerStatus, WorkerOptions, WorkerStatus } from "../../Worker.ts"
import { WorkerError } from "../../WorkerError.ts"
import { millis } from "../base/optionTime.ts"
import { timeoutOption } from "../base/standstill.ts"
import { uuid } from "../base/uuid.ts"
import { ensureGroup } from "../redis/group.ts"
import { namesOf } from "../redis/names.ts"
import * as neighbours from "../redis/neighbours.ts"
import * as serverClock from "../redis/serverClock.ts"
import * as trouble from "../redis/trouble.ts"
import { rehearse } from "../scripts/rehearse.ts"
import * as arrivals from "./arrivals.ts"
import { defaultSchedule, delayAfter } from "./backoff.ts"
import { warnOfUnread } from "./callbackLists.ts"
import * as consumer from "./consumer.ts"
import type { Decision, Written } from "./decision.ts"
import * as environmentCheck from "./environmentCheck.ts"
import * as eventLoop from "./eventLoop.ts"
import { SettlementObserver } from "./observer.ts"
import { lostLogger, settlementLogger, starvedLogger } from "./report.ts"
import * as serverChecks from "./serverChecks.ts"
import { StartObserver } from "./startObserver.ts"
import { make as makeTelemetry } from "./telemetry.ts"
import { moving } from "./upkeep/callbacks.ts"
import { bounding } from "./upkeep/deadLetterBounds.ts"
import * as recovery from "./upkeep/recovery.ts"
import { trimming } from "./upkeep/retention.ts"
import { sampling } from "./upkeep/sampler.ts"

export interface AssemblyInput {
  readonly redis: Redis["Service"]
  readonly naming: QueueNamingShape
  readonly clock: Clock.Clock
  readonly settings: Values
  readonly options: WorkerOptions
  readonly routes: ReadonlyMap<string, Route>
  readonly context: Context.Context<never>
}

/** An entry delivered so often without an outcome is run alone. */
const suspectAfter = 3

/** How often the server's clock is looked at. */
const clockInterval = Duration.seconds(30)

/** How long an interrupted handler may take to end, and what is decided to be written. */
const lastGrace = Duration.seconds(5)

/** Options over settings, checked. */
const resolve = Effect.fnUntraced(function*(options: WorkerOptions, settings: Values) {
  const concurrency = options.concurrency ?? settings.concurrency
  const resolved = {
    service: options.service ?? settings.serviceName,
    consumers: options.consumers ?? settings.consumers,
    concurrency,
    readAhead: options.readAhead ?? Math.min(2 * concurrency, 200),
    block: millis(options.block ?? settings.block),
    claimIdle: millis(options.claimIdle ?? settings.claimIdle),
    maxAttempts: options.maxAttempts ?? settings.maxAttempts,
    maxDeliveries: options.maxDeliveries ?? settings.maxDeliveries,
    shutdownGrace: millis(options.shutdownGrace ?? settings.shutdownGrace),
    payloadLimit: options.payloadLimit ?? settings.payloadLimit,
    depthLimit: options.depthLimit ?? defaultLimits.maxDepth,
    memoryLimit: options.memoryLimit ?? 16 * 1024 * 1024,
    unknownFor: millis(options.unknownFor ?? settings.unknownFor),
    responseTimeToLive: millis(options.responseTimeToLive ?? "1 hour"),
    retain: options.retain === undefined ? undefined : millis(options.retain),
    handlerTimeout: options.handlerTimeout === undefined
      ? settings.handlerTimeout && Duration.toMillis(settings.handlerTimeout)
      : millis(options.handlerTimeout),
    maxDeadLetters: options.deadLetters?.maxCount ?? 100_000,
    deadLetterAge: millis(options.deadLetters?.maxAge ?? "30 days")
  }
  for (
    const name of ["consumers", "concurrency", "maxAttempts", "maxDeliveries", "payloadLimit", "depthLimit"] as const
  ) {
    if (!Number.isInteger(resolved[name]) || resolved[name] < 1) {
      return yield* new WorkerError({
        reason: "InvalidOptions",
        message: `The option ${name} is ${resolved[name]}: expected a whole number from 1`
      })
    }
  }
  if (!Number.isInteger(resolved.readAhead) || resolved.readAhead < 0) {
    return yield* new WorkerError({
      reason: "InvalidOptions",
      message: `The option readAhead is ${resolved.readAhead}: expected a whole number from 0`
    })
  }
  if (!(resolved.memoryLimit >= 1)) {
    return yield* new WorkerError({
      reason: "InvalidOptions",
      message: `The option memoryLimit is ${resolved.memoryLimit}: expected a number from 1`
    })
  }
  for (const name of ["block", "claimIdle", "responseTimeToLive"] as const) {
    if (!(resolved[name] >= 1) || !Number.isSafeInteger(resolved[name])) {
      return yield* new WorkerError({
        reason: "InvalidOptions",
        message: `The option ${name} is ${resolved[name]} ms: expected a time from 1 millisecond, and an end to it`
      })
    }
  }
  for (
    const [name, least] of [["shutdownGrace", 0], ["unknownFor", 0], ["retain", 0], ["handlerTimeout", 1]] as const
  ) {
    const value = resolved[name]
    if (value !== undefined && !(value >= least)) {
      return yield* new WorkerError({
        reason: "InvalidOptions",
        message: `The option ${name} is ${value} ms: expected a time from ${least} milliseconds, such as "30 seconds"`
      })
    }
  }
  if (!(resolved.maxDeadLetters >= 1) || !(resolved.deadLetterAge >= 1)) {
    return yield* new WorkerError({
      reason: "InvalidOptions",
      message: "The option deadLetters allows no dead letter: expected a maxCount and a maxAge from 1"
    })
  }
  return resolved
})

export const assemble = Effect.fnUntraced(function*(input: AssemblyInput) {
  const { clock, context, naming, redis, routes, settings } = input
  const options = yield* resolve(input.options, settings)
  const names = yield* Effect.try({
    try: () => namesOf(naming, options.service),
    catch: (cause) =>
      new WorkerError({
        reason: "InvalidOptions",
        message: `No names for the service ${JSON.stringify(options.service)}: ${
          cause instanceof Error ? cause.message : cause
        }`,
        cause
      })
  })
  yield* neighbours.seat(redis, options.consumers)
  const place = yield* neighbours.join(redis, names.stream, routes.keys())
  const troubles = trouble.make()
  Context.get(context, StartObserver)?.(troubles)
  const server = serverClock.make(redis, clock)
  const gate = Latch.makeUnsafe(true)
  const paused = Latch.makeUnsafe(false)
  const logSettlement = settlementLogger(names, context)
  const observer = Context.get(context, SettlementObserver)
  const logLost = lostLogger(names, context)
  const logStarved = starvedLogger(names, context, clock)
  const telemetry = makeTelemetry({ names, context, clock, types: new Set(routes.keys()) })

  // ---------------------------------------------------------------------------
  // decisions
  // ---------------------------------------------------------------------------

  const basePolicy: Policy = {
    maxAttempts: options.maxAttempts,
    unknownFor: options.unknownFor,
    retryDelay: delayAfter(input.options.retry ?? defaultSchedule, context),
    errorReplies: input.options.errorReplies ?? "final",
    callbackErrors: input.options.callbackErrors ?? "dead-letter"
  }
  const ownPolicies = new Map<string, Policy>()
  for (const [type, route] of routes) {
    const retry = route.action?.retry
    if (retry !== undefined) ownPolicies.set(type, { ...basePolicy, retryDelay: delayAfter(retry, context) })
  }
  const policyFor = (subject: Subject): Policy =>
    (ownPolicies.size > 0 && subject.action !== undefined ? ownPolicies.get(subject.action.action_type) : undefined) ??
      basePolicy

  // ---------------------------------------------------------------------------
  // group
  // ---------------------------------------------------------------------------

  const restoreGroup = trouble.untilPassed(troubles, `making the group ${names.group}`, ensureGroup(redis, names)).pipe(
    Effect.flatMap((found) =>
      found === "made"
        ? Effect.andThen(
          Effect.sync(() => telemetry.count(Metrics.groupsRestored, 1)),
          Effect.logWarning(
            `The group ${names.group} was missing and is made anew: what is left in ${names.stream} is delivered again`
          )
        )
        : Effect.void
    )
  )

  // ---------------------------------------------------------------------------
  // consumers
  // ---------------------------------------------------------------------------

  const arriving = arrivals.make()
  const lastReads = new Map<string, number>()
  const startedAt = clock.currentTimeMillisUnsafe()
  let lastRenewed = startedAt
  const loop = eventLoop.make(clock)
  const gone = (ids: ReadonlyArray<string>) =>
    Effect.andThen(
      Effect.sync(() => telemetry.count(Metrics.entriesLost, ids.length)),
      recovery.goneWarning(names, ids)
    )
  const observe = (event: recovery.RecoveryEvent): void => {
    switch (event._tag) {
      case "Claimed":
        return telemetry.count(Metrics.claims, event.entries)
      case "LeaseLost":
        telemetry.count(Metrics.leasesLost, event.ids.length)
        return logLost("taken", event.ids, event.consumer)
      case "Dropped":
        telemetry.count(Metrics.entriesLost, event.ids.length)
        return logLost("dropped", event.ids, event.consumer)
      case "Renewed":
        lastRenewed = clock.currentTimeMillisUnsafe()
    }
  }
  const onWritten = (decision: Decision, written: Written, name: string): void => {
    telemetry.written(decision, written)
    logSettlement(decision, written, name)
    observer?.(decision, written)
    const { _tag } = decision.settlement
    if (_tag === "Retry" || _tag === "Release") recovering.wake()
    else if (_tag === "Yield") recovering.yielded()
  }
  const makeConsumer = (suffix: string, concurrency: number, readAhead: number, reads: boolean): consumer.Consumer => {
    const name = naming.consumer(names.service, suffix, uuid())
    return consumer.make({
      name,
      redis,
      names,
      runner: {
        concurrency,
        readAhead,
        // Who runs suspects alone holds nothing else, not even what is done.
        maxUnwritten: reads ? 2 * (concurrency + readAhead) : 1,
        maxHeldSize: options.memoryLimit,
        dispatch: {
          routes,
          limits: { maxBytes: options.payloadLimit, maxDepth: options.depthLimit },
          maxDeliveries: options.maxDeliveries,
          errors: input.options.errors
        },
        policyFor,
        handlerTimeout: options.handlerTimeout,
        // Its own, also while a longer one holds: that one may be forgotten while this process stands still.
        lease: options.claimIdle,
        onStale: () => recovering.hurry(),
        stream: names.stream,
        // Who runs suspects alone holds nothing back, and others run what it asks for.
        onStarved: reads ? logStarved : () => {},
        context,
        clock,
        server,
        telemetry
      },
      settler: {
        retain: options.retain !== undefined,
        encode: {
          service: names.service,
          accepts: naming.accepts,
          responseTimeToLive: options.responseTimeToLive,
          payloadLimit: options.payloadLimit,
          now: () => clock.currentTimeMillisUnsafe(),
          uuid
        },
        trouble: troubles,
        telemetry,
        restoreGroup
      },
      reader: reads
        ? {
          block: options.block,
          gate,
          paused,
          trouble: troubles,
          restoreGroup,
          onRead: () => lastReads.set(name, clock.currentTimeMillisUnsafe()),
          onReconnect: () => telemetry.count(Metrics.reconnects, 1)
        }
        : undefined,
      arrivals: arriving,
      gate,
      onGone: gone,
      onWritten
    })
  }
  const suffix = input.options.consumerSuffix
  const consumers = Array.from(
    { length: options.consumers },
    (_, index) =>
      makeConsumer(
        suffix === undefined ? `internal-${index}` : `${suffix}-${index}`,
        options.concurrency,
        options.readAhead,
        true
      )
  )
  const alone = makeConsumer(suffix === undefined ? "alone" : `${suffix}-alone`, 1, 0, false)
  const everyone = [...consumers, alone]

  const recovering = recovery.make({
    redis,
    names,
    consumers,
    alone,
    arrivals: arriving,
    claimIdle: options.claimIdle,
    retain: options.retain !== undefined,
    clock,
    // One delivery without an outcome is the least that makes a suspect: every retry would be one.
    suspectAfter: Math.max(2, Math.min(suspectAfter, options.maxDeliveries)),
    gate,
    trouble: troubles,
    restoreGroup,
    onGone: gone,
    observe
  })

  // ---------------------------------------------------------------------------
  // loops
  // ---------------------------------------------------------------------------

  const every = (interval: Duration.Duration, doing: string, effect: typeof server.sample) =>
    Effect.forever(Effect.andThen(Effect.sleep(interval), trouble.untilPassed(troubles, doing, effect)))

  yield* Effect.acquireRelease(
    Effect.sync(() =>
      Metric.registerUnsafe(Metric.withAttributes(Metrics.inFlight, { service: names.service }), context, {
        get: () => ({ value: everyone.reduce((sum, next) => sum + next.runner.running(), 0) }),
        update: () => {},
        modify: () => {}
      })
    ),
    (registration) => Effect.sync(registration.remove)
  )
  const watchIds = serverChecks.watchIds(names.stream)
  let newestId = ""
  yield* trouble.untilPassed(
    troubles,
    `starting the worker of ${names.stream}`,
    Effect.all([
      server.sample,
      ensureGroup(redis, names),
      Effect.map(redis.eval(rehearse.script)(names), (id) => {
        newestId = String(id)
      }),
      recovering.holdLease
    ], { discard: true })
  )

  yield* serverChecks.check(redis)
  yield* watchIds(newestId)
  const twice = neighbours.warningOf(names.stream, place.shared)
  if (twice !== undefined) yield* Effect.logWarning(twice)
  yield* environmentCheck.check(redis, names)
  // A hint and no more: a naming of the user's own may throw for a type that is sent to nobody.
  yield* Effect.ignoreCause(Effect.suspend(() => {
    const targets = Array.from(routes.keys(), (type) => [type, naming.targetService(type)] as const)
    const [first] = targets
    if (first === undefined || targets.some(([, target]) => target === names.service)) return Effect.void
    return Effect.logInfo(
      `Clients send none of the types of this worker to ${names.service}, but ${first[0]} to ${
        first[1]
      }: is SERVICE_NAME right?`
    )
  }))

  const together = (effects: ReadonlyArray<Effect.Effect<unknown, WorkerError>>): Effect.Effect<void, WorkerError> =>
    Effect.all(effects, { concurrency: "unbounded", discard: true })

  const callbackLists = input.options.callbacks === false
    ? []
    : [...new Set([...routes.keys()].map((type) => naming.callbackInbox(names.service, type)))]

  const intake = together([
    ...consumers.flatMap((next) => next.reader === undefined ? [] : [next.reader.run]),
    recovering.taking,
    ...everyone.map((next) => next.intake.finding),
    options.retain === Number.POSITIVE_INFINITY
      ? Effect.never
      : trimming({ redis, names, retain: options.retain ?? 0, trouble: troubles, now: server.now }),
    bounding({
      redis,
      names,
      maxCount: Math.floor(options.maxDeadLetters),
      maxAge: options.deadLetterAge,
      trouble: troubles
    }),
    moving({
      redis,
      stream: names.stream,
      lists: callbackLists,
      gate,
      trouble: troubles
    }),
    callbackLists.length === 0
      ? Effect.void
      : warnOfUnread({ redis, naming, service: names.service, types: [...routes.keys()], read: callbackLists })
  ])

  const support = together([
    recovering.renewing,
    sampling(redis, names, telemetry, watchIds),
    loop.run,
    every(clockInterval, "asking for the time", server.sample),
    ...everyone.flatMap((next) => [next.settler.run, next.runner.watch])
  ])

  // ---------------------------------------------------------------------------
  // the end
  // ---------------------------------------------------------------------------

  const quiet = Effect.forEach(everyone, (next) => next.runner.awaitQuiet, { concurrency: "unbounded", discard: true })
  const flushed = Effect.forEach(everyone, (next) => next.settler.flushed, { concurrency: "unbounded", discard: true })
  const readersStopped = Effect.forEach(
    consumers,
    (next) => next.reader?.stopped ?? Effect.void,
    { concurrency: "unbounded", discard: true }
  )

  let toldStandstill = false
  const tellStandstill = Effect.suspend(() => {
    if (toldStandstill) return Effect.void
    toldStandstill = true
    return Effect.logWarning(
      `The clock stands still while the worker of ${names.stream} stops, so it waits no longer. ` +
        "Handlers that run are interrupted and given back. Move TestClock until the handlers have ended, see docs/testing.md"
    )
  })
  const within = <A, E>(effect: Effect.Effect<A, E>, limit: Duration.Duration) =>
    timeoutOption(effect, limit, clock, tellStandstill)

  const giveBack = within(
    Effect.forEach(everyone, (next) => next.release, { concurrency: "unbounded" }),
    lastGrace
  )

  /** Reading has ended: finish what runs, give back the rest. */
  const drain = Effect.gen(function*() {
    place.leave()
    for (const next of everyone) next.runner.stopStarting()
    // Beside the handlers' time: a server that is silent must not add to it.
    yield* Effect.all([
      within(readersStopped, lastGrace),
      within(quiet, Duration.millis(options.shutdownGrace))
    ], { concurrency: "unbounded", discard: true })
    for (const next of everyone) next.runner.interruptRunning()
    const ended = yield* within(Effect.andThen(quiet, flushed), lastGrace)
    if (ended._tag === "None") {
      yield* Effect.logError(
        everyone.some((next) => next.runner.running() > 0)
          ? `Handlers of ${names.stream} did not end when interrupted: others take their actions`
          : `What was decided in ${names.stream} could not be written in time: others run its actions again`
      )
    }
    const released = yield* giveBack
    const count = released._tag === "Some" ? released.value.reduce((sum, next) => sum + next, 0) : 0
    if (count > 0) yield* Effect.logInfo(`Gave back ${count} actions of ${names.stream}`)
  }).pipe(Effect.catchCause((cause) => Effect.logError("The drain did not end well", cause)))

  /**
   * The worker has failed: handlers are interrupted. What was decided is written and the rest given back as far as the server
   * takes it, so that no entry counts a death that was not its own; what is not stays pending. `unsupported` ends with
   * {@link support}, without which nothing more is written.
   */
  const abandon = (unsupported: Effect.Effect<void>) =>
    Effect.gen(function*() {
      place.leave()
      for (const next of everyone) {
        next.runner.stopStarting()
        next.runner.interruptRunning()
      }
      yield* within(Effect.andThen(quiet, Effect.raceFirst(flushed, unsupported)), lastGrace)
      yield* giveBack
    }).pipe(Effect.catchCause((cause) => Effect.logError("The end of a failed worker did not go well", cause)))

  const consumerStatus = (next: consumer.Consumer): ConsumerStatus => ({
    name: next.name,
    running: next.runner.running(),
    held: next.runner.heldIds().length,
    unwritten: next.settler.unwritten(),
    lastRead: lastReads.get(next.name),
    reads: next.reader !== undefined,
    full: !next.runner.hasRoom()
  })

  return {
    names,
    gate,
    paused,
    intake,
    support,
    drain,
    abandon,
    status: (): Omit<WorkerStatus, "state"> => ({
      service: names.service,
      stream: names.stream,
      group: names.group,
      lease: recovering.lease(),
      lastRenewed,
      startedAt,
      block: options.block,
      eventLoopDelay: loop.delay(),
      consumers: everyone.map(consumerStatus),
      trouble: troubles.current()
    })
  }
})
