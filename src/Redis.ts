/**
 * Effect's client-neutral `Redis` service, re-exported.
 *
 * Effect marks that module as unstable (its path moved in 4.1), so this is the only file of the library that imports
 * it. Any layer that provides the service works: {@link IoRedis}, {@link RedisMemory}, or `NodeRedis` of
 * `@effect/platform-node`.
 *
 * @since 0.1.0
 */
export {
  type Connection,
  make,
  type PoolOptions,
  Redis,
  RedisError,
  type Script,
  script
} from "effect/persistence/Redis"
