-- Load for wrk: every request is a payment of its own, by a random payer, with a key of its own.
--
-- Arguments after `--`: the file with the payers' tokens (one a line), the path, the start of the keys, and
-- the body, in which @ stands for the number of a random recipient.

local requests = {}
local count = 0

function init(args)
  local tokens_file, path, key_prefix, body = args[1], args[2], args[3], args[4]
  for token in io.lines(tokens_file) do
    requests[#requests + 1] = "POST " .. path .. " HTTP/1.1\r\nHost: " .. wrk.host
      .. "\r\nContent-Type: application/json\r\nAuthorization: Bearer " .. token
      .. "\r\nIdempotency-Key: " .. key_prefix .. "-"
  end
  math.randomseed(os.time())
  template = body
  spread = body:find("@", 1, true) ~= nil
end

function request()
  count = count + 1
  local payer = math.random(1, #requests)
  local body = template
  if spread then
    -- Somebody else: nobody may pay themselves.
    local recipient = (payer + math.random(0, #requests - 2)) % #requests + 1
    body = body:gsub("@", string.format("%05d", recipient))
  end
  -- wrk.format would build the header block anew for each request; joining is several times cheaper, and
  -- the load generator shares its cores with what it measures.
  return requests[payer] .. count .. "\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"microseconds":%d,"refused":%d,"broken":%d,"p50_us":%d,"p99_us":%d}\n',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
