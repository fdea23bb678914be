#!lua
-- Bind codes to customers' devices, each for itself, in order: the next one of the pool that is still
-- good, or else the item's spare one. A device has one live code: the one before ends after a grace,
-- the one before that at once.
-- ("#!lua" has it refused as a whole when memory is full. Without it only a script's first write is
-- checked, and ours is the pop.)
--
-- KEYS[1]  the pool: a list of "number:digest:seed", numbers ascending
-- KEYS[2] and on: for each item its owner's devices: device -> "when:digest:digest of the one before"
-- ARGV[1]  prefix of the codes' keys; the digest follows. (Which code it will be is known only in
--          here, so its key cannot be named in KEYS: one primary, not a cluster of slots.)
-- ARGV[2]  the number up to which codes of this pool were issued before
-- ARGV[3]  now, microseconds since 1970    ARGV[4]  when the codes expire
-- ARGV[5]  when a code that is replaced now ends
-- ARGV[6]  how long records are kept, milliseconds
-- ARGV[7]  devices that an owner may have
-- ARGV[8]  and on: for each item its spare code's digest (or empty), issuance id, owner id, device
--
-- Answers {level, number, seed, number, seed, ...}: level is what is left in the pool; number 0 means
-- the item's spare code was bound, -1 that none could be.

local pool = KEYS[1]
local prefix, issued_through = ARGV[1], tonumber(ARGV[2])
local now_us, expire_us, grace_us, keep_ms = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local devices_max = tonumber(ARGV[7])
local ITEM_FIRST, ITEM_ARGUMENTS = 8, 4
-- A pool that came back from a backup begins with codes that were issued before; how many of them
-- one call throws away is bounded, and spare codes serve meanwhile.
local discards_left = 100

-- End a code at a moment, if it is this owner's and would live longer. If it was used, it stays used.
local function retire(digest, owner_id, at_us)
  local key = prefix .. digest
  local owner, expires = unpack(redis.call('HMGET', key, 'owner_id', 'expire_us'))
  if owner == owner_id and tonumber(expires) > tonumber(at_us) then
    redis.call('HSET', key, 'expire_us', at_us, 'retired', '1')
  end
end

local function parse(value)
  return string.match(value, '^(%d+):(%x+):(%x*)$')
end

-- Forget the device whose code is the oldest, which ends its code like a new one would.
local function forget_oldest(devices, owner_id, but)
  local fields = redis.call('HGETALL', devices)
  local oldest, oldest_us, oldest_digest
  for place = 1, #fields, 2 do
    local issue_us, digest = parse(fields[place + 1])
    if fields[place] ~= but and (not oldest or tonumber(issue_us) < oldest_us) then
      oldest, oldest_us, oldest_digest = fields[place], tonumber(issue_us), digest
    end
  end
  retire(oldest_digest, owner_id, grace_us)
  redis.call('HDEL', devices, oldest)
end

local function bind(digest, devices, issuance_id, owner_id, device)
  local key = prefix .. digest
  if redis.call('EXISTS', key) == 1 then
    return false -- live, or remembered: it is never bound again
  end
  local before = redis.call('HGET', devices, device)
  local earlier = ''
  if before then
    local _, latest, earliest = parse(before)
    earlier = latest
    retire(earlier, owner_id, grace_us)
    if earliest ~= '' then
      retire(earliest, owner_id, '0')
    end
  end
  redis.call('HSET', key, 'issuance_id', issuance_id, 'owner_id', owner_id, 'expire_us', expire_us)
  redis.call('PEXPIRE', key, keep_ms)
  redis.call('HSET', devices, device, now_us .. ':' .. digest .. ':' .. earlier)
  redis.call('PEXPIRE', devices, keep_ms)
  if not before and redis.call('HLEN', devices) > devices_max then
    forget_oldest(devices, owner_id, device)
  end
  return true
end

-- The next code of the pool that was not issued before: its number, digest and seed.
local function take()
  while discards_left > 0 do
    local entry = redis.call('LPOP', pool)
    if not entry then
      discards_left = 0
      return nil
    end
    local number, digest, seed = string.match(entry, '^(%d+):(%x+):(%x+)$')
    if number and tonumber(number) > issued_through then
      return tonumber(number), digest, seed
    end
    discards_left = discards_left - 1
  end
end

local answers = {0}
for item = 1, #KEYS - 1 do
  local first = ITEM_FIRST + ITEM_ARGUMENTS * (item - 1)
  local spare, issuance_id, owner_id, device = unpack(ARGV, first, first + ITEM_ARGUMENTS - 1)
  local devices = KEYS[item + 1]
  local number, digest, seed = take()
  while number and not bind(digest, devices, issuance_id, owner_id, device) do
    number, digest, seed = take()
  end
  if not number then
    number, seed = -1, ''
    if spare ~= '' and bind(spare, devices, issuance_id, owner_id, device) then
      number = 0
    end
  end
  answers[#answers + 1] = number
  answers[#answers + 1] = seed
end
answers[1] = redis.call('LLEN', pool)
return answers
