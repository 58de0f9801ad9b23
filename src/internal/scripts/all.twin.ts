import { countLetters, readLetter, scanLetters, surveyLetters } from "./deadLetter.twin.ts"
import { boundLetters, redeliverAnswer, replayLetters } from "./deadLetterMoves.twin.ts"
import { firstRead } from "./firstRead.twin.ts"
import { holdLease, release, renew } from "./lease.twin.ts"
import { rehearse } from "./rehearse.twin.ts"
import type { Definition } from "./script.ts"
import { settle } from "./settle.twin.ts"
import { append, countReplacements, moveCallbacks, trim } from "./streams.twin.ts"
import { passOver, takeDue, takeIdle, takeOwn } from "./take.twin.ts"

/** Every script of the library with its twin. `RedisMemory` registers them, and the conformance suite compares them. */
export const definitions: ReadonlyArray<Definition> = [
  append,
  boundLetters,
  countLetters,
  countReplacements,
  firstRead,
  holdLease,
  moveCallbacks,
  passOver,
  readLetter,
  redeliverAnswer,
  rehearse,
  release,
  renew,
  replayLetters,
  scanLetters,
  settle,
  surveyLetters,
  takeDue,
  takeIdle,
  takeOwn,
  trim
]
