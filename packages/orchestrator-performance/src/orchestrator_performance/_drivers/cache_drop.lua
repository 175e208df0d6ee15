-- Invalidate names, tags, or with neither everything, and tell who listens.
-- KEYS: counter, moment at which everything was cleared, then the values. ARGV: prefix of the tags' moments, longest ms, tombstone ms, channel,
-- message up to the count, message behind it, then the tags.
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000000 + time[2])
for index = 3, #KEYS do
  redis.call('DEL', KEYS[index])
  redis.call('HSET', KEYS[index], 'removed', now)
  redis.call('PEXPIRE', KEYS[index], ARGV[3])
end
for index = 7, #ARGV do redis.call('SET', ARGV[1] .. ARGV[index], now, 'PX', ARGV[2]) end
if #KEYS == 2 and #ARGV == 6 then redis.call('SET', KEYS[2], now, 'PX', ARGV[2]) end
local count = redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PUBLISH', ARGV[4], ARGV[5] .. count .. ARGV[6])
return count
