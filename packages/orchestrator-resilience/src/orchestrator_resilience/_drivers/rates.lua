-- One request under all its limits: counted under all of them, or under none. Time is the server's, in microseconds.
--
-- KEYS: one per limit. ARGV: cost; 'decide', 'charge' (count it whatever is left) or 'look' (count nothing); then per limit: strategy, amount, period, burst.
-- Answers, as one text for it is read faster, four whole numbers per limit: 1 if this limit allows it, units left, microseconds until all are back, microseconds until a request of
-- this cost can pass (-1: never). If the request is counted, the numbers are as after it.

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local cost = tonumber(ARGV[1])
local action = ARGV[2]
local SLACK = 0.000001

local function expire(key, microseconds)
  redis.call('PEXPIRE', key, math.ceil(microseconds / 1000))
end

-- Each strategy answers: units used, microseconds until all are back, microseconds until the request can pass, and how to count it. That
-- answers units used and microseconds until all are back again.
local strategies = {}

strategies['gcra'] = function(key, amount, period, burst)
  local interval = period / amount
  local used = math.max(0, tonumber(redis.call('GET', key) or now) - now)
  return used / interval, used, used + interval * (cost - burst), function()
    local after = math.min(used + interval * cost, interval * burst)
    redis.call('SET', key, string.format('%.3f', now + after), 'PX', math.max(1, math.ceil(after / 1000)))
    return after / interval, after
  end
end

strategies['token-bucket'] = function(key, amount, period, burst)
  local rate = amount / period
  local state = redis.call('HMGET', key, 'used', 'at')
  local used = state[1] and math.max(0, tonumber(state[1]) - (now - tonumber(state[2])) * rate) or 0
  return used, used / rate, (used + cost - burst) / rate, function()
    local after = math.min(used + cost, burst)
    redis.call('HSET', key, 'used', string.format('%.9f', after), 'at', string.format('%.0f', now))
    expire(key, math.max(1000, after / rate))
    return after, after / rate
  end
end

strategies['fixed-window'] = function(key, amount, period)
  local state = redis.call('HMGET', key, 'used', 'ends')
  local used, ends = tonumber(state[1] or 0), tonumber(state[2] or 0)
  if ends <= now then used, ends = 0, now end
  return used, ends - now, ends - now, function()
    local after = math.min(used + cost, amount)
    if ends == now then ends = now + period end
    redis.call('HSET', key, 'used', after, 'ends', string.format('%.0f', ends))
    expire(key, ends - now)
    return after, ends - now
  end
end

-- A sorted set: when, and as the member the time, a number that makes it unique, and the cost. The member 'units' is their sum.
strategies['sliding-window'] = function(key, amount, period)
  local FIRST = '(100000000000' -- no time is before it, and no sum beyond
  local oldest = string.format('%.0f', now - period)
  local used = tonumber(redis.call('ZSCORE', key, 'units') or 0)
  for _, entry in ipairs(redis.call('ZRANGEBYSCORE', key, FIRST, '(' .. oldest)) do
    used = used - tonumber(string.match(entry, '%d+$'))
    redis.call('ZREM', key, entry)
  end
  local newest = redis.call('ZREVRANGEBYSCORE', key, '+inf', FIRST, 'WITHSCORES', 'LIMIT', 0, 1)
  local reset = newest[2] and tonumber(newest[2]) + period - now or 0
  if used > 0 then redis.call('ZADD', key, used, 'units') else redis.call('DEL', key) end
  local wait, missing = 0, used + cost - amount
  if missing > 0 and cost <= amount then
    local entries = redis.call('ZRANGEBYSCORE', key, FIRST, '+inf', 'WITHSCORES')
    for i = 1, #entries, 2 do
      missing = missing - tonumber(string.match(entries[i], '%d+$'))
      -- An entry counts up to and including the end of its window.
      wait = tonumber(entries[i + 1]) + period - now + 1
      if missing <= 0 then break end
    end
  end
  return used, reset, wait, function()
    local counted = math.min(cost, amount - used)
    if counted > 0 then
      local moment = string.format('%.0f', now)
      local same = redis.call('ZCOUNT', key, moment, moment)
      redis.call('ZADD', key, used + counted, 'units', moment, moment .. ':' .. same .. ':' .. counted)
      expire(key, period + 1000)
    end
    return used + counted, period
  end
end

strategies['sliding-window-counter'] = function(key, amount, period)
  local window = math.floor(now / period)
  local overlap = 1 - (now / period - window)
  local state = redis.call('HMGET', key, 'window', 'current', 'previous')
  local kept, current, previous = tonumber(state[1]), tonumber(state[2] or 0), tonumber(state[3] or 0)
  if kept == window - 1 then
    current, previous = 0, current
  elseif kept ~= window then
    current, previous = 0, 0
  end
  local used = math.floor(previous * overlap) + current
  local function reset(count)
    if count > 0 then return (overlap + 1) * period end
    return previous > 0 and overlap * period or 0
  end
  local room = amount - cost - current
  local wait
  if room >= 0 then
    wait = math.max(0, overlap - (room + 1) / math.max(1, previous)) * period + 1
  else
    wait = (overlap + math.max(0, 1 - (amount - cost + 1) / current)) * period + 1
  end
  return used, reset(current), wait, function()
    local after = math.min(current + cost, amount)
    redis.call('HSET', key, 'window', string.format('%.0f', window), 'current', after, 'previous', previous)
    expire(key, 2 * period)
    return math.floor(previous * overlap) + after, reset(after)
  end
end

local tested, allowed = {}, true
for i, key in ipairs(KEYS) do
  local at = 3 + (i - 1) * 4
  local amount, period, burst = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local used, reset, wait, count = strategies[ARGV[at]](key, amount, period, burst)
  local fits = used + cost <= burst + SLACK
  allowed = allowed and fits
  tested[i] = { fits, used, reset, wait, count, burst }
end

local answer = {}
for _, each in ipairs(tested) do
  local fits, used, reset, wait, count, burst = unpack(each)
  if action == 'charge' or (allowed and action == 'decide') then used, reset = count() end
  local left = math.max(0, math.floor(burst - used + SLACK))
  local retry = fits and 0 or (cost > burst and -1 or math.ceil(wait))
  answer[#answer + 1] = string.format('%d %d %.0f %.0f', fits and 1 or 0, left, math.ceil(reset), retry)
end
return table.concat(answer, ' ')
