-- One circuit that many processes share. Time is the server's, in milliseconds; every change of state begins a new generation, and what is told of
-- an older one is not counted.
--
-- KEYS: the circuit. ARGV: what to do; window ('count', 'time' or 'consecutive'), its size (calls or milliseconds), minimum calls, failure rate,
-- failures in a row, slow rate (-1: not judged), recovery, probes, lease; then
--   tell   generation, calls, failures, slow calls, failures in a row at the end, slow calls in a row at the end
--   probe  a name for the probe
--   settle generation, name, 'good', 'bad', or 'neutral' to give the place back
--   open   (a process has opened its circuit while it was alone)
--   force  'forced_open', 'disabled', 'metrics_only', or '' to reset
-- Answers state, generation, milliseconds until an open circuit lets probes through, 1 if a probe may go, calls, failures and slow calls in the
-- window, good and running probes together.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local key, action, kind = KEYS[1], ARGV[1], ARGV[2]
local size, minimum, failure_rate, in_a_row = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local slow_rate, recovery, permits, lease = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])

local kept = redis.call('GET', key)
local circuit = kept and cjson.decode(kept) or { state = 'closed', generation = 1, opened = 0, good = 0 }
circuit.probes = circuit.probes or {}
circuit.window = circuit.window or {}
local granted = 0

local function become(state)
  circuit.state, circuit.generation = state, circuit.generation + 1
  circuit.good, circuit.probes, circuit.window = 0, {}, {}
  if state == 'open' then circuit.opened = now end
end

local function running()
  local count = 0
  for name, ends in pairs(circuit.probes) do
    if ends <= now then circuit.probes[name] = nil else count = count + 1 end
  end
  return count
end

-- The window is a list of {mark, calls, failures, slow}, the newest last; the mark is the slice of a time window.
local function totals()
  local calls, failures, slow = 0, 0, 0
  for _, part in ipairs(circuit.window) do
    calls, failures, slow = calls + part[2], failures + part[3], slow + part[4]
  end
  return calls, failures, slow
end

local function evict()
  if kind == 'time' then
    local oldest = math.floor(now / (size / 30)) - 29
    while circuit.window[1] and circuit.window[1][1] < oldest do table.remove(circuit.window, 1) end
  elseif kind == 'count' then
    local over = totals() - size
    while over > 0 do
      local part = circuit.window[1]
      if part[2] <= over then
        table.remove(circuit.window, 1)
        over = over - part[2]
      else
        -- What a process has told at once is taken to be evenly mixed.
        local left = (part[2] - over) / part[2]
        circuit.window[1] = { part[1], part[2] - over, part[3] * left, part[4] * left }
        over = 0
      end
    end
  end
end

local function tell(calls, failures, slow, failed_run, slow_run)
  if kind == 'consecutive' then
    local run = circuit.window[1] or { 0, 0, 0, 0 }
    local all_failed, all_slow = calls == failures, calls == slow
    run = { 0, 0, (all_failed and run[3] or 0) + failed_run, (all_slow and run[4] or 0) + slow_run }
    run[2] = math.max(run[3], run[4])
    circuit.window = { run }
    return
  end
  local mark = kind == 'time' and math.floor(now / (size / 30)) or 0
  local newest = circuit.window[#circuit.window]
  if newest and kind == 'time' and newest[1] == mark then
    newest[2], newest[3], newest[4] = newest[2] + calls, newest[3] + failures, newest[4] + slow
  else
    table.insert(circuit.window, { mark, calls, failures, slow })
  end
  evict()
end

local function is_bad()
  local calls, failures, slow = totals()
  if kind == 'consecutive' then return math.max(failures, slow) >= in_a_row end
  if calls < minimum then return false end
  return failures >= failure_rate * calls or (slow_rate >= 0 and slow >= slow_rate * calls)
end

evict()
if action == 'tell' then
  local calls = tonumber(ARGV[12])
  if circuit.state == 'closed' and tonumber(ARGV[11]) == circuit.generation and calls > 0 then
    local failures, slow = tonumber(ARGV[13]), tonumber(ARGV[14])
    tell(calls, failures, slow, tonumber(ARGV[15]), tonumber(ARGV[16]))
    if (failures > 0 or slow > 0) and not circuit.override and is_bad() then become('open') end
  end
elseif action == 'open' then
  if circuit.state == 'closed' and not circuit.override then become('open') end
elseif action == 'force' then
  become(ARGV[11] == 'forced_open' and 'open' or 'closed')
  circuit.override = ARGV[11] ~= '' and ARGV[11] or nil
elseif action == 'probe' then
  if circuit.state == 'open' and not circuit.override and now >= circuit.opened + recovery then become('half_open') end
  if circuit.state == 'half_open' and circuit.good + running() < permits then
    circuit.probes[ARGV[11]] = now + lease
    granted = 1
  end
elseif action == 'settle' and ARGV[13] == 'neutral' then
  circuit.probes[ARGV[12]] = nil -- names are unique, so the generation does not matter
elseif action == 'settle' and circuit.state == 'half_open' and tonumber(ARGV[11]) == circuit.generation then
  local ends = circuit.probes[ARGV[12]]
  circuit.probes[ARGV[12]] = nil
  if ends and ends > now then
    if ARGV[13] == 'bad' then
      become('open')
    else
      circuit.good = circuit.good + 1
      if circuit.good >= permits then become('closed') end
    end
  end
end

-- A circuit that nobody has used for so long is closed, as a new one is.
local life = math.max(recovery + lease, kind == 'time' and size or 0, 3600000)
redis.call('SET', key, cjson.encode(circuit), 'PX', math.ceil(life))
local calls, failures, slow = totals()
local wait = circuit.state == 'open' and not circuit.override and math.max(0, circuit.opened + recovery - now) or 0
return {
  circuit.override or circuit.state, circuit.generation, wait, granted, calls, math.floor(failures), math.floor(slow),
  circuit.state == 'half_open' and circuit.good + running() or 0,
}
