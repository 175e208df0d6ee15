-- `rates.lua` for the usual case, one limit of strategy gcra, in a third of its time; keys, arguments and answer are the same.

local time = redis.call('TIME')
local key, now, cost = KEYS[1], time[1] * 1000000 + time[2], tonumber(ARGV[1])
local interval, burst = ARGV[5] / ARGV[4], tonumber(ARGV[6])
local arrival = redis.call('GET', key)
local used = arrival and arrival - now or 0
if used < 0 then used = 0 end
local after = used + interval * cost
local fits = after <= interval * (burst + 0.000001)
if ARGV[2] == 'charge' or (fits and ARGV[2] == 'decide') then
  if after > interval * burst then after = interval * burst end
  redis.call('SET', key, string.format('%.3f', now + after), 'PX', math.ceil(after / 1000))
  return string.format('%d %d %d 0', fits and 1 or 0, burst - after / interval + 0.000001, math.ceil(after))
end
local wait = fits and 0 or (cost > burst and -1 or math.ceil(after - interval * burst))
return string.format('%d %d %d %d', fits and 1 or 0, burst - used / interval + 0.000001, math.ceil(used), wait)
