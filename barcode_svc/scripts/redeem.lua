#!lua flags=allow-oom
-- Use codes up, each for itself, in order. Runs also when memory is full: what it adds is a few bytes
-- to a code that exists, and customers who have one on their screens can pay.
--
-- KEYS     the records of the codes, one per item; then the missed-code counters, one per merchant
-- ARGV[1]  now, microseconds since 1970
-- ARGV[2]  misses that a merchant may have in a window    ARGV[3]  the window, microseconds
-- ARGV[4]  how long a used code's record is kept, milliseconds
-- ARGV[5]  number of items
-- ARGV[6]  and on: for each item its redemption token, and which counter is its merchant's (1, 2, ...)
--
-- Answers for each item {'OK', issuance_id, owner_id}, {'UNKNOWN'}, {'EXPIRED'}, {'USED'} or
-- {'LIMITED', microseconds until the window ends}.

local now, misses_max, window_us = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local used_keep_ms, items = ARGV[4], tonumber(ARGV[5])

-- Microseconds until the merchant's window ends, and the misses in it; 0, 0 if it has none. A clock
-- that is behind the one that opened the window sees it at its beginning.
local function window_of(counter)
  local start_us = redis.call('HGET', counter, 'start_us')
  if not start_us then
    return 0, 0
  end
  local left = window_us - math.max(0, now - tonumber(start_us))
  if left <= 0 then
    return 0, 0
  end
  return left, tonumber(redis.call('HGET', counter, 'misses'))
end

local function count_miss(counter)
  if window_of(counter) == 0 then
    redis.call('HSET', counter, 'start_us', ARGV[1], 'misses', 1)
    -- Twice the window: the counter outlives it also where the two clocks disagree a little.
    redis.call('PEXPIRE', counter, math.ceil(window_us / 500))
  else
    redis.call('HINCRBY', counter, 'misses', 1)
  end
end

local function redeem(key, token, counter)
  local issuance_id, owner_id, expire_us, used_by =
    unpack(redis.call('HMGET', key, 'issuance_id', 'owner_id', 'expire_us', 'token'))
  if used_by and used_by == token then
    -- The answer of the first time, also after expiry and also while the merchant is limited: who
    -- knows the token learns nothing new.
    return {'OK', issuance_id, owner_id}
  end
  local left, misses = window_of(counter)
  if misses >= misses_max then
    return {'LIMITED', string.format('%.0f', left)}
  elseif not issuance_id then
    count_miss(counter)
    return {'UNKNOWN'}
  elseif used_by then
    return {'USED'}
  elseif now > tonumber(expire_us) then
    return {'EXPIRED'}
  end
  redis.call('HSET', key, 'token', token)
  redis.call('PEXPIRE', key, used_keep_ms)
  return {'OK', issuance_id, owner_id}
end

local answers = {}
for item = 1, items do
  local token, merchant = ARGV[4 + 2 * item], tonumber(ARGV[5 + 2 * item])
  answers[item] = redeem(KEYS[item], token, KEYS[items + merchant])
end
return answers
