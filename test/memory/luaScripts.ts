/**
 * Scripts that tell Lua 5.1 as Redis runs it from other Luas. Each gets the key `key`, which is empty, and its arguments.
 *
 * What Redis 7.0.15 replies to them is in luaReplies.json: `UPDATE_REPLIES=1 npx vitest run test/both/memoryLua.test.ts` asks the
 * installed server again. (`error({})` is not among them: it ends that server.)
 */
export type Script = readonly [lua: string, ...args: ReadonlyArray<string>]

/** What a script can tell of bytes that no text holds. */
const hex = "local function hex(s) return (s:gsub('.', function(c) return string.format('%02x', c:byte()) end)) end "

const numerals =
  "10; 10 ;1e3;0x10;-0x1F;.5;5.;; ;x;1x;1_0;- 1;+1;1e;inf;\n7\t;1764525600123;12345678901234567890;0.1;--1;1 2;0x1p4;0x.8;0x;0x1p;-0xA.8p-1"
    .split(";")

/** Statements that give values to so many locals. */
const locals = (count: number) => Array.from({ length: count }, (_, n) => `local a${n} = ${n}`).join("\n")

/** A script whose function has so many upvalues. */
const upvalues = (count: number) =>
  `${locals(count)}\nreturn (function() return ${Array.from({ length: count }, (_, n) => `a${n}`).join(" + ")} end)()`

/** Scripts by what they are about. */
export const luaScripts: Readonly<Record<string, ReadonlyArray<Script>>> = {
  "numbers are floats": [
    ["return tonumber('1764525600') * 1000"],
    ["local t = {'3000000'} return tostring(t[1] * 1000 + 0.5 > 2 ^ 31)"],
    ["return {3.99, -3.99, 2^53, 1e300, -1e300, 0/0, 2^63, -2^63}"],
    ["return {7 / 2, -7 % 3, 7 % -3, 5.5 % 2, 2 ^ 0.5 * 1e6}"],
    ["return tostring(2147483647 + 1) .. ' ' .. 2^31 * 2 .. ' ' .. 65536 * 65536"],
    ["local n = 0 for i = 1, 3, 0.5 do n = n + i end return tostring(n)"],
    ["return {math.floor(2.7), math.ceil(2.2), math.floor(-2.5), math.max(1, 5), math.min(4, 2), math.abs(-3)}"],
    ["return tostring(math.floor(1764525600123.9)) .. ' ' .. math.ceil(1764525600123.1)"],
    ["return {math.pow(2, 10), math.mod(7, 4), math.fmod(-7, 4), tostring(math.huge), tostring(math.pi)}"],
    ["return {tostring(math.log(10)), tostring(math.log10(1000)), tostring(math.exp(1)), tostring(math.sqrt(2))}"],
    ["return tostring(1 == 1.0) .. tostring('1' == 1) .. tostring(10 == '10')"],
    ["return ({[1] = 'a', [1.0] = 'b'})[1]"],
    ["local t = {} t[2^53] = 'x' return t[9007199254740992]"]
  ],
  "numbers are printed as by C's %.14g": [
    ["return 3 .. ' ' .. 3.0 .. ' ' .. -3 .. ' ' .. 0.1 .. ' ' .. 1e15 .. ' ' .. 1e14 .. ' ' .. 123456789012345"],
    ["return tostring(1e100) .. tostring(1/0) .. tostring(-1/0) .. tostring(1e-5) .. ' ' .. 1/3"],
    ["return tostring(2^53) .. ' ' .. 2^31 .. ' ' .. 1764525600123 .. ' ' .. 0.1 + 0.2"],
    ["return table.concat({1, 2.0, 2.5, 1e20}, ',')"],
    ["return {#tostring(12345), tostring(-0.0), 100 .. '', 1e3 .. ''}"],
    ["return redis.call('ECHO', 3)"],
    ["return redis.call('ECHO', 3.3)"],
    ["return redis.call('ECHO', 2^53 + 2)"],
    ["return redis.call('ECHO', 1764525600123.25)"],
    ["return redis.call('ECHO', 1/0)"],
    ["return redis.call('ECHO', 1e20)"]
  ],
  "tonumber reads what strtod reads": [
    [
      "local r = {} for i, s in ipairs(ARGV) do r[i] = tostring(tonumber(s)) end return r",
      ...numerals
    ],
    ["return {tonumber('ff', 16), tonumber('0xff', 16), tonumber('777', 8), tonumber('z', 36), tostring(tonumber('9', 8))}"],
    ["return {tonumber(5), tostring(tonumber(nil)), tostring(tonumber({})), tostring(tonumber(true))}"],
    ["return tonumber()"],
    ["return {'10' + 5, '3' * '4', 10 .. 20}"],
    ["return 'x' + 1"]
  ],
  "string.format is C's printf": [
    ["return string.format('%d %5.2f %s %q %x %g %i', 3e9, 1.5, 'a', 'b\"', 255, 1e20, 4.7)"],
    ["return string.format('%s %s %s', nil, true, 'x')"],
    ["return string.format('[%5s|%-5s|%.2s|%5d|%-5d|%05d|%+d]', 'a', 'b', 'cde', 42, 42, 42, 42)"],
    ["return string.format('%.0f %.3f %e %G %o %X %#x %c', 1764525600123, 1/3, 12345.678, 1e-10, 8, 255, 255, 65)"],
    ["return string.format('%d %u', -1, 7)"],
    ["return string.format('%5.1f|%-8.3g|%08.2f', 3.14159, 2.5, -1.5)"],
    ["return #string.format('%s', 'a\\0b')"],
    ["return string.format('%q', 'a\\nb\\0c\\r\\\\')"],
    ["return string.format('100%%')"],
    ["return string.format('%d', 'x')"],
    ["return string.format('%d')"],
    ["return string.format('%y', 1)"],
    ["return string.format('%d', '12')"]
  ],
  "cjson encodes and decodes": [
    ["return cjson.encode({1, 2, {a = 'b/c\"\\\\'}})"],
    ["return cjson.encode({1.5, cjson.null, {}, true, false, 'x'})"],
    ["return cjson.encode(1e15) .. ' ' .. cjson.encode(12345678901234567) .. ' ' .. cjson.encode(0.1)"],
    ["return cjson.encode('\\0\\31\\127\\n\\t/é😀')"],
    ["return cjson.encode({[1] = 'a', [2] = 'b', [4] = 'd'})"],
    ["return cjson.encode({[1] = 1, [100] = 2})"],
    ["return cjson.encode({[1.5] = 1})"],
    ["return cjson.encode({x = 0/0})"],
    ["return cjson.encode(function() end)"],
    ["local t = {} t.t = t return cjson.encode(t)"],
    [
      "local t = cjson.decode(ARGV[1]) return {t.a, tostring(t.b), t.c[2], tostring(t.d), t.e.f, tostring(t.g)}",
      "{\"a\":\"x\\u00e9\\ud83d\\ude00\",\"b\":null,\"c\":[1,2],\"d\":1e3,\"e\":{\"f\":\"é\"},\"g\":false}"
    ],
    ["local t = cjson.decode('[1,[],{},\"\"]') return {t[1], #t[2], next(t[3]) == nil and 1 or 0, t[4]}"],
    ["return cjson.decode('{x')"],
    ["return cjson.decode('')"],
    ["return cjson.decode('[1,]')"],
    ["return cjson.decode('{\"a\":1} x')"],
    ["return cjson.decode('\"abc')"],
    ["return cjson.decode(1)"],
    ["return tostring(cjson.decode('1764525600123'))"],
    ["return cjson.encode(cjson.decode(ARGV[1]))", "[1764525600123,-5,1.25,\"a\\/b\",{\"k\":[null]}]"],
    ["return pcall(cjson.decode, '{') == false and 1 or 0"]
  ],
  "errors are worded as the server words them": [
    ["return {err = 'MY x'}"],
    ["return redis.error_reply('MY x')"],
    ["return redis.error_reply('x')"],
    ["error('abc')"],
    ["\n\nerror('abc')"],
    ["error('ABC def', 0)"],
    ["error()"],
    ["error({err = 'MY own'})"],
    ["local function f() return redis.call('GET', 'a', 'b') end\nreturn f()"],
    ["return redis.call('NOPE')"],
    ["return redis.call('NOPE', 'a', 'b')"],
    ["return redis.pcall('NOPE').err"],
    ["return redis.call()"],
    ["return redis.call({})"],
    ["return redis.call('GET', {})"],
    ["return redis.call('GET', true)"],
    ["redis.call('SET', KEYS[1], 'v') return redis.call('LPUSH', KEYS[1], 'x')"],
    ["return redis.call('BLPOP', 'nolist', 0)"],
    ["return redis.call('EVAL', 'return 1', 0)"],
    ["return redis.call('SCRIPT', 'LOAD', 'x')"],
    ["return nil + 1"],
    ["local t = nil return t.x"],
    ["local t = {} return t.x.y"],
    ["return {} .. 'x'"],
    ["return {} < {}"],
    ["return #nil"],
    ["local f = 3 f()"],
    ["return ('x'):nope()"],
    ["return string.rep()"],
    ["return ('x'):rep('y')"],
    ["return math.floor('x')"],
    ["return setmetatable(1, {})"],
    ["assert(false)"],
    ["assert(false, 'words')"],
    ["assert(nil, 'words')"]
  ],
  "scripts that do not compile are refused with the words of 5.1": [
    ["if"],
    ["return 'abc"],
    ["return 1 +"],
    ["x = = 1"],
    ["return 1 // 2"],
    ["return 1\n<< 2"],
    ["return 8 >> 1"],
    ["return 1 & 2"],
    ["return 1 | 2"],
    ["return 1 ~ 2"],
    ["return '//', '&', \"|\", [[ ~ << ]] -- >> goto\n --[==[ ::x:: ]==]"],
    ["return {'a' ~= 'b', 1 <= 2, 3 >= 4, 5 == 6}"],
    ["return '\\x41' .. '\\u' .. '\\z' .. '\\\\x41'"],
    ["return 0x1p4"],
    ["for i = 1 do end"],
    ["goto x"],
    ["::x:: return 1"],
    ["return ..."],
    [upvalues(60)],
    [upvalues(61)],
    [locals(200)],
    [locals(201)]
  ],
  "globals are read-only, and missing ones are named": [
    ["x = 1"],
    ["function f() end"],
    ["return x"],
    ["return print('x')"],
    ["local function f() x = 1 end f()"],
    ["KEYS = {} return 1"],
    ["KEYS[1] = 'x' return KEYS[1]"],
    ["redis.call = nil"],
    ["string.format = nil"],
    ["rawset(_G, 'x', 1)"],
    ["rawset(redis, 'x', 1)"],
    ["setmetatable(_G, {})"],
    ["return tostring(pcall(function() return os.time() end))"],
    ["return io.read()"],
    ["return table.unpack({1})"],
    ["return table.pack(1)"],
    ["return require('x')"],
    ["return dofile('x')"],
    ["return loadfile('x')"],
    ["return utf8"],
    ["return math.type(1)"],
    ["return rawlen({})"],
    ["return string.pack('b', 1)"],
    ["return type(loadstring) .. type(unpack) .. type(table.getn) .. type(string.gfind) .. type(redis.sha1hex)"],
    ["return _VERSION .. ' ' .. redis.REDIS_VERSION .. ' ' .. redis.REDIS_VERSION_NUM"],
    ["return redis.LOG_DEBUG .. redis.LOG_VERBOSE .. redis.LOG_NOTICE .. redis.LOG_WARNING .. redis.REPL_ALL"]
  ],
  "pcall and redis.pcall give errors back": [
    ["local ok, e = pcall(error, {err = 'x', foo = 1}) return {type(e), tostring(e)}"],
    ["local ok, e = pcall(error, {foo = 1}) return {type(e), e.foo}"],
    ["local ok, e = pcall(error, 'abc') return {tostring(ok), e}"],
    ["local ok, e = pcall(function() error('abc') end) return {tostring(ok), e}"],
    ["local ok, e = pcall(redis.call, 'NOPE') return {tostring(ok), type(e), tostring(e)}"],
    ["local ok, e = pcall(redis.call, 'GET') return {tostring(ok), type(e), tostring(e)}"],
    ["local e = redis.pcall('LPUSH', KEYS[1]) return {type(e), e.err}"],
    ["return redis.pcall('LPUSH', KEYS[1])"],
    ["return select('#', pcall(function() return 1, 2, 3 end))"],
    ["local ok, v = xpcall(function() error('a', 0) end, function(e) return 'caught ' .. e end) return {tostring(ok), v}"]
  ],
  "unpack is bounded by the stack": [
    ["return #{unpack({}, 1, 7990)}"],
    ["return #{unpack({}, 1, 8000)}"],
    ["return {unpack({1, 2, 3}, 2)}"],
    ["return {unpack({1, 2, 3}, 2, 2)}"],
    ["return select('#', unpack({}, 1, 3))"],
    ["return {unpack({}, 3, 1)}"],
    ["return unpack(nil)"]
  ],
  "replies and Lua values become each other": [
    ["return {1, 'a', {2, {3}}}"],
    ["return {1, 2, nil, 4}"],
    ["return {true, false, 3}"],
    ["return true"],
    ["return false"],
    ["return nil"],
    ["return {}"],
    ["return {ok = 'fine'}"],
    ["return redis.status_reply('hi')"],
    ["return redis.call('SET', KEYS[1], '1').ok"],
    ["return redis.call('SET', KEYS[1], '1')"],
    ["return {redis.call('GET', 'missing'), 2}"],
    ["return tostring(redis.call('GET', 'missing'))"],
    ["redis.call('RPUSH', KEYS[1], 1, 2) return redis.call('LRANGE', KEYS[1], 0, -1)"],
    ["redis.call('HSET', KEYS[1], 'f', 'v') return redis.call('HGETALL', KEYS[1])"],
    ["redis.call('XADD', KEYS[1], '1-1', 'f', 'v') return redis.call('XRANGE', KEYS[1], '-', '+')"],
    ["redis.call('ZADD', KEYS[1], 1.5, 'm') return redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')"],
    ["return {#KEYS, #ARGV, KEYS[1], ARGV[2], tostring(ARGV[3])}", "a", "b"],
    ["return redis.sha1hex('') .. redis.sha1hex('a\\0b')"],
    ["return function() end"],
    ["return {err = 'one\\ntwo'}"],
    ["return {ok = 'one\\r\\ntwo'}"],
    ["return tostring(cjson.null)"],
    ["redis.log(redis.LOG_DEBUG, 'x') return 1"]
  ],
  "strings are bytes": [
    [`${hex}return {hex(ARGV[1]), #ARGV[1]}`, "\uFEFFtext"],
    ["return ARGV[1]", "\uFEFFtext"],
    [
      "redis.call('SET', KEYS[1], ARGV[1]) return {redis.call('GET', KEYS[1]), redis.call('STRLEN', KEYS[1])}",
      "\uFEFFé😀"
    ],
    [`${hex}return {#ARGV[1], hex(ARGV[1]), ARGV[1]:byte(1, -1)}`, "é😀"],
    ["return {ARGV[1]:sub(1, 2), ARGV[1]:sub(3), ARGV[1]:sub(1, 4) .. '!'}", "😀x"],
    ["local a, b = ARGV[1]:sub(1, 2), ARGV[1]:sub(3) return {a .. b, #a, #b}", "😀"],
    [
      `${hex}redis.call('APPEND', KEYS[1], ARGV[1]:sub(1, 2)) redis.call('APPEND', KEYS[1], ARGV[1]:sub(3))
      return {redis.call('GET', KEYS[1]), hex(redis.call('GET', KEYS[1]))}`,
      "😀"
    ],
    [`${hex}redis.call('SET', KEYS[1], '\\255\\0\\128') return {hex(redis.call('GET', KEYS[1])), redis.call('GET', KEYS[1])}`],
    ["return {'\\255', '\\128\\128', '\\237\\160\\189', '\\240\\159', 'a\\0b'}"],
    [`${hex}redis.call('HSET', KEYS[1], '\\255', 1, '\\254', 2) return {redis.call('HGET', KEYS[1], '\\255'), redis.call('HLEN', KEYS[1])}`],
    ["redis.call('ZADD', KEYS[1], 0, '\\255', 0, 'z', 0, 'é', 0, '\\0') local r = {} for _, m in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do r[#r + 1] = m:byte() end return r"],
    ["return {tostring('a\\0b' == 'a\\0c'), tostring('a\\0b' < 'a\\0c'), tostring('é' < 'z'), tostring('' < 'a'), tostring('a' < 'B')}"],
    ["local t = {['\\1\\23'] = 1, ['\\12\\3'] = 2} return {t['\\1\\23'], t['\\12\\3']}"],
    ["return {('a\\0b'):len(), ('abc'):upper(), ('é'):upper(), ('x'):rep(3), ('abc'):reverse(), ('b'):byte(), string.char(65, 66)}"],
    ["return {('a\\0b'):find('b', 1, true), (('a\\0b'):gsub('%z', '-'))}"],
    ["return {('key = value'):match('(%w+)%s*=%s*(%w+)'), ('abc'):find('b'), (('hello'):gsub('l', {l = 'L'}))}"],
    ["local r = {} for w in ('one two  three'):gmatch('%S+') do r[#r + 1] = w end return r"],
    ["return {('a.b'):find('.', 1, true), ('a.b'):find('%.'), ('[x]'):match('%[(.-)%]'), ('f(a(b)c)'):match('%b()')}"],
    ["return ('x'):find('[')"],
    ["return ('x'):gsub('(', '')"],
    ["return {redis.call('ECHO', ARGV[1]), ARGV[1]:len()}", "a\0b"],
    ["redis.call('XADD', KEYS[1], '1-1', 'a\\0', '\\255') local e = redis.call('XRANGE', KEYS[1], '-', '+')[1][2] return {#e[1], #e[2], e[2]:byte()}"]
  ],
  "tables and the rest of the language": [
    ["return {table.getn({1, 2}), table.maxn({1, [10] = 2}), #table.concat({'a', 'b'}, ', ')}"],
    ["local t = {3, 1, 2} table.sort(t) return t"],
    ["local t = {'b', 'a', 'é', 'Z'} table.sort(t, function(a, b) return a > b end) return t"],
    ["local t = {1, 2} table.insert(t, 3) table.insert(t, 1, 0) return {table.remove(t), unpack(t)}"],
    ["local t = {} table.insert(t, 5, 'x') return #t"],
    ["return table.concat({1, {}, 3})"],
    ["local t = {1, 2, 3} table.insert(t, 2, 'x') return {table.remove(t, 1), select('#', table.remove(t, 9)), unpack(t)}"],
    ["return {table.remove({}), 1}"],
    ["local function f() return 1 + f() end return f()"],
    ["return {string.format('%.0f %.0f %.0f %.2f %.2f %.1f', 0.5, 1.5, 2.5, 0.125, 0.375, 0.25), 2.5e14 + 0.5 .. ''}"],
    ["return {tostring(1000000000000.25), tostring(1000000000000.75), tostring(100000000000000.5), 0.1 + 1e14 .. ''}"],
    ["local n = 0 for k, v in pairs({a = 1, b = 2, 3}) do n = n + v end return n"],
    ["local t = setmetatable({}, {__index = function(t, k) return k .. '!' end}) return t.hello"],
    ["local t = setmetatable({}, {__call = function(self, x) return x * 2 end}) return t(21)"],
    ["local co = coroutine.wrap(function() coroutine.yield(1) coroutine.yield(2) end) return {co(), co()}"],
    ["return loadstring('return 1 + 1')()"],
    ["return tostring(loadstring('if'))"],
    ["local a, b = select(2, 'x', 'y', 'z') return {a, b, select('#')}"],
    ["local function f(...) return select('#', ...), ... end return {f(nil, nil, 1)}"],
    ["return {type(nil), type({}), type('x'), type(1), type(print == nil)}"],
    ["return {tostring(next({})), rawequal('a', 'a') and 1 or 0, rawget({5}, 1)}"],
    ["local s = '' repeat s = s .. 'x' until #s == 3 return s"],
    ["local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end return fib(15)"]
  ]
}
