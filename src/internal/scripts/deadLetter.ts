/**
 * Scripts that read dead letters. They read, filter and count on the server, so that neither payloads nor letters
 * outside the filter are transferred. Each call does a bounded amount of work and returns where the next one continues.
 */
import { define, luaInteger, luaNow } from "./script.ts"

// -----------------------------------------------------------------------------
// the form of a dead letter
// -----------------------------------------------------------------------------

/** The reasons that a filter can name. Any other reason in the stream is `other`. */
export const knownReasons = [
  "malformed",
  "poison",
  "unknown",
  "invalid",
  "unencodable",
  "rejected",
  "exhausted",
  "undeliverable"
] as const

/**
 * Reads a dead letter: our notes up to `fields N`, then the N field and value pairs of the entry, or all of them as
 * netstrings in `packed`. The first note of a name counts, because the sender controls everything after `fields`.
 */
export const luaLetter = `local known = { ${knownReasons.map((reason) => `${reason} = true`).join(", ")} }
local function notesOf(fields)
  local notes = {}
  for i = 1, #fields, 2 do
    local name, value = fields[i], fields[i + 1]
    if notes[name] == nil then notes[name] = value end
    if name == 'fields' then
      local left = #fields - i - 1
      if not notes.reason or not notes.entry_id then return nil end
      if left == 2 * (tonumber(value) or -1) then return notes, i + 2, false end
      if left == 2 and fields[i + 2] == 'packed' then return notes, i + 2, true end
      return nil
    end
  end
  return nil
end
local function unpacked(text)
  local values, at = {}, 1
  while at <= #text do
    local colon = text:find(':', at, true)
    local size = colon and tonumber(text:sub(at, colon - 1):match('^%d+$'))
    if not size or text:sub(colon + size + 1, colon + size + 1) ~= ',' then return nil end
    values[#values + 1] = text:sub(colon + 1, colon + size)
    at = colon + size + 2
  end
  return values
end
local function valuesOf(fields, first, packed)
  if packed then return unpacked(fields[first + 1]) end
  local values = {}
  for i = first, #fields do values[#values + 1] = fields[i] end
  return values
end
local function reasonOf(notes)
  return notes and known[notes.reason] and notes.reason or 'other'
end
`

// -----------------------------------------------------------------------------
// going through them
// -----------------------------------------------------------------------------

/** The letters to scan. An empty list matches any. */
export interface ScanParams {
  readonly deadLetters: string
  readonly reverse: boolean
  /** The lowest and highest id as `XRANGE` takes them; `(` before an id excludes it. */
  readonly from: string
  readonly to: string
  readonly reasons: ReadonlyArray<string>
  readonly actionTypes: ReadonlyArray<string>
  readonly errorTypes: ReadonlyArray<string>
  /** The number of letters inspected in one call. */
  readonly scanLimit: number
  /** The number of letters returned by one call. */
  readonly limit: number
  /** The number of bytes inspected in one call after which it ends. */
  readonly budget: number
  /** Includes the field `data` of the entry if it is not longer than this; -1 leaves it out. */
  readonly dataLimit: number
}

/** The number of letters read from the stream at a time: with large letters, a call must not hold many. */
export const chunk = 16

const luaScan = `${luaLetter}
local reverse, from, to = ARGV[1] == '1', ARGV[2], ARGV[3]
local scanLimit, limit, budget = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local wanted, cursor = {}, 8
for _, name in ipairs({ 'reason', 'action_type', 'error_type' }) do
  local count = tonumber(ARGV[cursor])
  if count > 0 then
    wanted[name] = {}
    for i = cursor + 1, cursor + count do wanted[name][ARGV[i]] = true end
  end
  cursor = cursor + count + 1
end
local function matches(notes)
  if wanted.reason and not wanted.reason[reasonOf(notes)] then return false end
  if wanted.action_type and not wanted.action_type[notes and notes.action_type or ''] then return false end
  if wanted.error_type and not wanted.error_type[notes and notes.error_type or ''] then return false end
  return true
end
-- Replies with the id of the last letter seen, or with nothing when all were.
local function scan(found)
  local scanned, matched, bytes = 0, 0, 0
  while true do
    local count = math.min(${chunk}, scanLimit - scanned)
    local letters
    if reverse then
      letters = redis.call('XREVRANGE', KEYS[1], to, from, 'COUNT', count)
    else
      letters = redis.call('XRANGE', KEYS[1], from, to, 'COUNT', count)
    end
    for _, letter in ipairs(letters) do
      local id, fields, size = letter[1], letter[2], 0
      for i = 1, #fields do size = size + #fields[i] end
      scanned = scanned + 1
      bytes = bytes + size
      local notes, first, packed = notesOf(fields)
      if matches(notes) then
        matched = matched + 1
        found(id, fields, size, notes, first, packed)
      end
      if matched >= limit or bytes >= budget then return id end
      if reverse then to = '(' .. id else from = '(' .. id end
      if scanned >= scanLimit then return id end
    end
    if #letters < count then return '' end
  end
end
`

const scanArgs = (params: ScanParams): ReadonlyArray<string> => [
  params.reverse ? "1" : "0",
  params.from,
  params.to,
  String(params.scanLimit),
  String(params.limit),
  String(params.budget),
  String(params.dataLimit),
  ...[params.reasons, params.actionTypes, params.errorTypes].flatMap((names) => [String(names.length), ...names])
]

/**
 * Replies with letters (id, size, notes, and `data`: whether it is present (`d`), absent (`-`) or too large (`l`), its
 * text or length, its count of U+FFFD) and the id to continue after, which is empty when all were inspected.
 */
export const scanLetters = define<ScanParams>({
  lua: `${luaScan}
local dataLimit, letters = tonumber(ARGV[7]), {}
local function dataOf(fields, notes, first, packed)
  local values = notes and valuesOf(fields, first, packed) or {}
  for i = 1, #values - 1, 2 do
    if values[i] == 'data' then
      local text = values[i + 1]
      if #text > dataLimit then return { 'l', tostring(#text), 0 } end
      local _, replaced = text:gsub('\\239\\191\\189', '')
      return { 'd', text, replaced }
    end
  end
  return { '-', '', 0 }
end
local last = scan(function(id, fields, size, notes, first, packed)
  local told = {}
  for i = 1, (first or 1) - 1, 2 do
    told[i] = fields[i]
    told[i + 1] = fields[i] == 'answer' and '' or fields[i + 1]
  end
  letters[#letters + 1] = { id, size, told, dataLimit < 0 and {} or dataOf(fields, notes, first, packed) }
end)
return { letters, last }
`,
  keys: (params) => [params.deadLetters],
  args: scanArgs
})

/**
 * Counts letters by reason, action type and error type. Replies with those three, the count, the first and the last id
 * of each group, and the id to continue after.
 */
export const countLetters = define<ScanParams>({
  lua: `${luaScan}
local groups, byKey = {}, {}
local last = scan(function(id, fields, size, notes)
  local reason = reasonOf(notes)
  local actionType, errorType = notes and notes.action_type or '', notes and notes.error_type or ''
  local key = reason .. '\\0' .. actionType .. '\\0' .. errorType
  local group = byKey[key]
  if not group then
    group = { reason, actionType, errorType, 0, id, id }
    byKey[key] = group
    groups[#groups + 1] = group
  end
  group[4] = group[4] + 1
  group[6] = id
end)
return { groups, last }
`,
  keys: (params) => [params.deadLetters],
  args: scanArgs
})

/** Replies with the server's time, the number of letters, and the first and the last id (empty: none). */
export const surveyLetters = define<{ readonly deadLetters: string }>({
  lua: `${luaNow}${luaInteger}
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
return { integer(now()), redis.call('XLEN', KEYS[1]), first and first[1] or '', last and last[1] or '' }
`,
  keys: (params) => [params.deadLetters],
  args: () => []
})

/**
 * Replies with one whole letter: size, notes, the fields of the entry, and the count of U+FFFD in all of them and in
 * `data`. Replies with nothing if there is no such letter.
 */
export const readLetter = define<{ readonly deadLetters: string; readonly id: string }>({
  lua: `${luaLetter}
local letter = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not letter then return {} end
local fields, told, size, replaced, inData = letter[2], {}, 0, 0, nil
local notes, first, packed = notesOf(fields)
local values = notes and valuesOf(fields, first, packed)
if not values then first, values = 1, fields end
for i = 1, first - 1 do told[i] = fields[i] end
for i = 1, #fields do size = size + #fields[i] end
for i = 1, #values do
  local _, found = values[i]:gsub('\\239\\191\\189', '')
  replaced = replaced + found
  if not inData and i % 2 == 0 and values[i - 1] == 'data' then inData = found end
end
return { size, told, values, replaced, inData or 0 }
`,
  keys: (params) => [params.deadLetters],
  args: (params) => [params.id]
})
