#!lua flags=allow-oom
-- Use codes up, each for itself, in order, and count the misses. Runs also when memory is full: what it
-- adds is a few bytes to a code that exists, and customers who have one on their screens can pay.
--
-- KEYS     the records of the codes, one per item; then the counters of misses
-- ARGV[1]  now, microseconds since 1970
-- ARGV[2]  how long a used code's record is kept, milliseconds
-- ARGV[3]  and on: what a merchant's counter allows: misses in a window, the window, the first lock, the
--          longest lock, the quiet time after which locks are forgiven; all times in microseconds
-- ARGV[8]  and on: the same for a device's counter
-- ARGV[13] number of items
-- ARGV[14] and on: for each item what it is, its redemption token, and which counters are its merchant's
--          and its device's (1, 2, ...; 0: none). It is "online", a code of ours; or what was found about
--          an offline code: "sound", "stale" or "missed".
--
-- Answers for each item {'OK', issuance_id, owner_id}, {'SOUND'} (the caller uses it up), {'UNKNOWN'},
-- {'EXPIRED'}, {'USED'} or {'LIMITED', microseconds until the lock ends}.
--
-- What was used by another merchant, and what was replaced by a newer code, is unknown and counted
-- like any number that was never a code: a merchant learns nothing about codes that it was not shown.

local now, used_keep_ms, items = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[13])
local ITEM_FIRST, ITEM_ARGUMENTS = 14, 4

local function rule_at(first)
  return {
    misses_max = tonumber(ARGV[first]),
    window_us = tonumber(ARGV[first + 1]),
    lock_us = tonumber(ARGV[first + 2]),
    lock_us_max = tonumber(ARGV[first + 3]),
    quiet_us = tonumber(ARGV[first + 4]),
  }
end
local MERCHANTS, DEVICES = rule_at(3), rule_at(8)

-- Microseconds until the lock ends; 0 if there is none. A clock that is behind the one that set the
-- lock sees it at its beginning.
local function lock_left(counter)
  local until_us, lock_us = unpack(redis.call('HMGET', counter, 'until_us', 'lock_us'))
  if not until_us or tonumber(until_us) <= now then
    return 0
  end
  return math.min(tonumber(until_us) - now, tonumber(lock_us))
end

local function count_miss(counter, rule)
  local start_us, misses, until_us, locks =
    unpack(redis.call('HMGET', counter, 'start_us', 'misses', 'until_us', 'locks'))
  start_us, misses = tonumber(start_us or ''), tonumber(misses or 0)
  until_us, locks = tonumber(until_us or 0), tonumber(locks or 0)
  if locks > 0 and now - until_us >= rule.quiet_us then
    locks = 0
  end
  if not start_us or now - start_us >= rule.window_us then
    start_us, misses = now, 0
  end
  misses = misses + 1
  local kept_us = 2 * rule.window_us -- outlives it also where the two clocks disagree a little
  if misses >= rule.misses_max then
    local lock_us = math.min(rule.lock_us * 2 ^ locks, rule.lock_us_max)
    locks, until_us = locks + 1, now + lock_us
    redis.call('HSET', counter, 'lock_us', string.format('%.0f', lock_us))
    redis.call('HDEL', counter, 'start_us', 'misses')
  else
    redis.call('HSET', counter, 'start_us', string.format('%.0f', start_us), 'misses', misses)
  end
  redis.call('HSET', counter, 'until_us', string.format('%.0f', until_us), 'locks', locks)
  if locks > 0 then
    kept_us = kept_us + math.max(0, until_us - now) + rule.quiet_us
  end
  redis.call('PEXPIRE', counter, string.format('%.0f', math.ceil(kept_us / 1000)))
end

local function missed(merchant)
  count_miss(merchant, MERCHANTS)
  return {'UNKNOWN'}
end

local function judge_offline(kind, merchant, device)
  if kind == 'stale' then
    return {'EXPIRED'}
  elseif device and lock_left(device) > 0 then
    return missed(merchant)
  elseif kind == 'sound' then
    return {'SOUND'}
  end
  if device then
    count_miss(device, DEVICES)
  end
  return missed(merchant)
end

local function redeem(key, kind, token, merchant, device)
  local issuance_id, owner_id, expire_us, retired, used_by, used_at =
    unpack(redis.call('HMGET', key, 'issuance_id', 'owner_id', 'expire_us', 'retired', 'token', 'merchant'))
  if used_by and used_by == token then
    -- The answer of the first time, also after expiry and also while the merchant is limited: who
    -- knows the token learns nothing new.
    return {'OK', issuance_id, owner_id}
  end
  local left = lock_left(merchant)
  if left > 0 then
    return {'LIMITED', string.format('%.0f', left)}
  elseif kind ~= 'online' then
    return judge_offline(kind, merchant, device)
  elseif not issuance_id then
    return missed(merchant)
  elseif used_by then
    return used_at == merchant and {'USED'} or missed(merchant)
  elseif now > tonumber(expire_us) then
    return retired and missed(merchant) or {'EXPIRED'}
  end
  redis.call('HSET', key, 'token', token, 'merchant', merchant)
  redis.call('PEXPIRE', key, used_keep_ms)
  return {'OK', issuance_id, owner_id}
end

local answers = {}
for item = 1, items do
  local first = ITEM_FIRST + ITEM_ARGUMENTS * (item - 1)
  local kind, token, merchant, device = unpack(ARGV, first, first + ITEM_ARGUMENTS - 1)
  local device_counter = tonumber(device) > 0 and KEYS[items + tonumber(device)] or nil
  answers[item] = redeem(KEYS[item], kind, token, KEYS[items + tonumber(merchant)], device_counter)
end
return answers
