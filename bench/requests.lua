-- The one wrk script, the same for every peer and row.
-- In: a file with a line `METHOD <tab> PATH <tab> ETAG <tab> BODY` per request (the last two may be empty).
-- All requests are built before the clock starts and sent in turn, each with seven usual browser headers beside
-- Host, so that no figure rests on one hot URL. Out: one line of JSON with wrk's own counts.

local BROWSER = {
  ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
  ["Accept"] = "application/json, text/plain, */*",
  ["Accept-Language"] = "en-GB,en;q=0.8,de;q=0.5",
  ["Accept-Encoding"] = "gzip, deflate, br, zstd",
  ["Referer"] = "http://127.0.0.1/cities",
  ["Cookie"] = "theme=dark; consent=2025-01-01; visitor=4b1c2a9e7d",
  ["Connection"] = "keep-alive",
}

local requests, count, turn = {}, 0, 0

function init(args)
  for line in io.lines(args[1]) do
    local method, path, etag, body = line:match("^([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)$")
    local headers = { Host = wrk.headers["Host"] }
    for name, value in pairs(BROWSER) do headers[name] = value end
    if etag ~= "" then headers["If-None-Match"] = etag end
    if body == "" then body = nil else headers["Content-Type"] = "application/json" end
    count = count + 1
    requests[count] = wrk.format(method, path, headers, body)
  end
end

function request()
  turn = turn % count + 1
  return requests[turn]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "microseconds": %d, "bytes": %d, "p50": %d, "p99": %d, ' ..
    '"bad_status": %d, "socket_errors": %d, "timeouts": %d}\n',
    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write, errors.timeout
  ))
end
