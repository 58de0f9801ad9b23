/**
 * The door to Redis: Effect's own client-neutral `Redis` service.
 *
 * Effect marks that module unstable (its path moved in 4.1), so this is the one
 * file of the library that imports it. Everything else speaks to the service
 * through here, and any layer that provides it will do: {@link IoRedis},
 * {@link RedisMemory}, or `NodeRedis` of `@effect/platform-node`.
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
