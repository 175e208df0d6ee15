-- Keep a value, unless its key, one of its tags or everything was invalidated since its load began, or a later one is there.
-- KEYS: value, moments at which its partition and the whole cache were cleared, lease.
-- ARGV: prefixes of the tags' moments of both, data, stamp, fresh ms, last ms, cost, tags.
local stamp = tonumber(ARGV[4])
local function since(key)
  local moment = redis.call('GET', key)
  return moment and tonumber(moment) >= stamp
end
local there = redis.call('HMGET', KEYS[1], 'stamp', 'removed')
local late = since(KEYS[2]) or since(KEYS[3]) or (there[1] and tonumber(there[1]) > stamp) or (there[2] and tonumber(there[2]) >= stamp)
for tag in string.gmatch(ARGV[8], '[^\31]+') do late = late or since(ARGV[1] .. tag) or since(ARGV[2] .. tag) end
redis.call('DEL', KEYS[4])
if late then return 0 end
local time = redis.call('TIME')
local fresh = time[1] * 1000000 + time[2] + ARGV[5] * 1000
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'data', ARGV[3], 'stamp', ARGV[4], 'fresh', string.format('%.0f', fresh), 'cost', ARGV[7], 'tags', ARGV[8])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
return 1
