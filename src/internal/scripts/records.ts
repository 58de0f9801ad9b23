/** The records of parked actions: a line of notes, and the fields of the entry to be, each with its length in front. */

/** Lua: `packed(...)` joins texts, and `unpacked(record)` returns those of a record. */
export const luaRecords = `local function packed(...)
  local parts = { ... }
  for i = 1, #parts do parts[i] = #parts[i] .. ':' .. parts[i] end
  return table.concat(parts)
end
local function unpacked(record)
  local parts, at = {}, record:find('\\n', 1, true) + 1
  while at <= #record do
    local colon = record:find(':', at, true)
    local size = tonumber(record:sub(at, colon - 1))
    parts[#parts + 1] = record:sub(colon + 1, colon + size)
    at = colon + size + 1
  end
  return parts
end
`
