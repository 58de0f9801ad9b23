import type { Definition } from "../script.ts"
import { countLetters, readLetter, scanLetters, surveyLetters } from "./deadLetter.ts"
import { boundLetters, redeliverAnswer, replayLetters } from "./deadLetterMoves.ts"
import { holdLease, release, renew } from "./lease.ts"
import { rehearse } from "./rehearse.ts"
import { settle } from "./settle.ts"
import { append, countReplacements, moveCallbacks, trim } from "./streams.ts"
import { takeDue, takeIdle, takeOwn } from "./take.ts"

/** Every script of the library with its twin, for `RedisMemory` to register and for the conformance suite to compare. */
export const definitions: ReadonlyArray<Definition> = [
  append,
  boundLetters,
  countLetters,
  countReplacements,
  holdLease,
  moveCallbacks,
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
