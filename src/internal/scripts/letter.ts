/** Writes dead letters. `deadLetter.ts` reads them. */

/**
 * Names and values of an entry beyond which a dead letter packs them as netstrings into one field. With its notes a letter stays
 * below the arguments that servers take in one command.
 */
export const maxFields = 3_400

/**
 * Lua: writes a letter, which already has its first notes, with the values of its entry. `call` is `redis.call`, or `redis.pcall`,
 * which returns the refusal of a server.
 */
export const luaWriteLetter = `local function writeLetter(call, dead, letter, id, group, consumer, time, values)
  local function note(name, value)
    letter[#letter + 1] = name
    letter[#letter + 1] = value
  end
  note('entry_id', id)
  note('group', group)
  note('consumer', consumer)
  note('time', time)
  note('fields', string.format('%.0f', #values / 2))
  if #values > ${maxFields} then
    local packed = {}
    for i = 1, #values do packed[i] = #values[i] .. ':' .. values[i] .. ',' end
    note('packed', table.concat(packed))
  else
    for i = 1, #values do letter[#letter + 1] = values[i] end
  end
  return call('XADD', dead, '*', unpack(letter))
end
`
