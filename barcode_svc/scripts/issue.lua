#!lua
-- Bind a code to an owner: the next one of the pool that is still good, or else the spare one.
-- ("#!lua" has it refused as a whole when memory is full. Without it only a script's first write is
-- checked, and ours is the pop.)
--
-- KEYS[1]  the pool: a list of "number:digest:seed", numbers ascending
-- KEYS[2]  the owner's pointer: the digest of the owner's latest code
-- ARGV[1]  prefix of the codes' keys; the digest follows. (Which code it will be is known only in
--          here, so its key cannot be named in KEYS: one primary, not a cluster of slots.)
-- ARGV[2]  the number up to which codes of this pool were issued before
-- ARGV[3]  digest of the spare code
-- ARGV[4]  issuance id    ARGV[5]  owner id
-- ARGV[6]  when it expires, microseconds since 1970
-- ARGV[7]  how long its record is kept, milliseconds
--
-- Answers {number, seed, level}: number 0 means the spare code was bound, -1 that none could be;
-- level is what is left in the pool.

local pool, pointer = KEYS[1], KEYS[2]
local prefix, issued_through, spare = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local issuance_id, owner_id, expire_us, keep_ms = ARGV[4], ARGV[5], ARGV[6], ARGV[7]
-- A pool that came back from a backup begins with codes that were issued before; how many of them
-- one call throws away is bounded, and the spare code serves meanwhile.
local DISCARDS_MAX = 100

local function bind(digest)
  local key = prefix .. digest
  if redis.call('EXISTS', key) == 1 then
    return false -- live, or remembered: it is never bound again
  end
  local earlier = redis.call('GET', pointer)
  if earlier and redis.call('HGET', prefix .. earlier, 'owner_id') == owner_id then
    redis.call('HSET', prefix .. earlier, 'expire_us', '0') -- if it was used, it stays used
  end
  redis.call('HSET', key, 'issuance_id', issuance_id, 'owner_id', owner_id, 'expire_us', expire_us)
  redis.call('PEXPIRE', key, keep_ms)
  redis.call('SET', pointer, digest, 'PX', keep_ms)
  return true
end

for _ = 1, DISCARDS_MAX do
  local entry = redis.call('LPOP', pool)
  if not entry then
    break
  end
  local number, digest, seed = string.match(entry, '^(%d+):(%x+):(%x+)$')
  if number and tonumber(number) > issued_through and bind(digest) then
    return {tonumber(number), seed, redis.call('LLEN', pool)}
  end
end
if bind(spare) then
  return {0, '', redis.call('LLEN', pool)}
end
return {-1, '', redis.call('LLEN', pool)}
