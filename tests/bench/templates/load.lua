-- wrk's script: a path of its own for every request, and the summary as one line of JSON.
-- Arguments: method, path prefix, access token, content type, body file ("-" for none).
local prefix, tail, counter = nil, nil, 0

function init(args)
    local method, path, token, content_type, body_file = args[1], args[2], args[3], args[4], args[5]
    local headers = { ["Accept"] = "application/json", ["Authorization"] = "Bearer " .. token, ["Host"] = wrk.headers["Host"] }
    local body
    if body_file ~= "-" then
        local file = assert(io.open(body_file, "rb"))
        body = file:read("*a")
        file:close()
        headers["Content-Type"] = content_type
    end
    local request_bytes = wrk.format(method, path .. "@", headers, body)
    local at = request_bytes:find("@", 1, true)
    prefix, tail = request_bytes:sub(1, at - 1), request_bytes:sub(at + 1)
end

function request()
    counter = counter + 1
    return prefix .. counter .. tail
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '\nsummary {"requests":%d,"microseconds":%d,"not_2xx":%d,"socket_errors":%d,"p50":%d,"p99":%d}\n',
        summary.requests, summary.duration, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50), latency:percentile(99)))
end
