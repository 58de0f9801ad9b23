/** The records of parked actions: a line of notes, and the fields of the entry to be, each with its length in front. */

/** Lua: `packed(...)` joins texts, and `unpacked(record)` returns those of a record. */
export const luaRecords = `local function packed(...)
  local parts, texts = {}, { ... }
  for i = 1, #texts do
    parts[2 * i - 1] = #texts[i] .. ':'
    parts[2 * i] = texts[i]
  end
  return table.concat(parts)
end
local function unpacked(record)
  local parts, at = {}, record:find('\\n', 1, true) + 1
  while at <= #record do
    local size, first = record:match('^(%d+):()', at)
    at = first + size
    parts[#parts + 1] = record:sub(first, at - 1)
  end
  return parts
end
`
