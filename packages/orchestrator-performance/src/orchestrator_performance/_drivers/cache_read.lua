-- What there is under a name, unless it was invalidated after it was looked for first.
-- KEYS: value, moments at which its partition and the whole cache were cleared. ARGV: prefixes of the tags' moments of both.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local stamp = string.format('%.0f', now)
local value = redis.call('HMGET', KEYS[1], 'data', 'stamp', 'fresh', 'cost', 'tags')
if not value[1] then return {stamp} end
local written = tonumber(value[2])
local function since(key)
  local moment = redis.call('GET', key)
  return moment and tonumber(moment) >= written
end
local gone = since(KEYS[2]) or since(KEYS[3])
for tag in string.gmatch(value[5], '[^\31]+') do gone = gone or since(ARGV[1] .. tag) or since(ARGV[2] .. tag) end
if gone then
  redis.call('UNLINK', KEYS[1])
  return {stamp}
end
local fresh = string.format('%.0f', tonumber(value[3]) - now)
return {stamp, value[1], fresh, redis.call('PTTL', KEYS[1]), value[4], value[5]}
