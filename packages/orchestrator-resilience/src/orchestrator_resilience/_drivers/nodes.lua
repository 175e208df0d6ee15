-- The processes that share a store: this one is alive. Times are the server's, in milliseconds.
--
-- KEYS: the set of nodes, the mark of the store's memory. ARGV: this node, how long a node counts as alive, a new mark.
-- Answers how many are alive, which of them this one is (from 0), and the mark: another one than before says that the store has forgotten.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('PEXPIRE', KEYS[1], 86400000)
redis.call('SET', KEYS[2], ARGV[3], 'NX')
local nodes = redis.call('ZRANGE', KEYS[1], 0, -1)
table.sort(nodes)
local rank = 0
for i, node in ipairs(nodes) do
  if node == ARGV[1] then rank = i - 1 end
end
return { #nodes, rank, redis.call('GET', KEYS[2]) }
