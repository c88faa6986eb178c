-- Creates a laboratory Observation, another one each time.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/fhir+json"
wrk.headers["Prefer"] = "return=minimal"
local n = 0
local file = io.open(os.getenv("BODY"))
local body = file:read("*a")
file:close()
request = function()
  n = n + 1
  local values = { PATIENT = n % 1000, ENCOUNTER = n % 5000, VALUE = string.format("%d.%d0", 9 + n % 9, n % 10) }
  return wrk.format(nil, "/fhir/Observation", nil, (body:gsub("@(%u+)@", values)))
end
response = function(status, headers, answer) if status ~= 201 then print("unexpected", status, answer) end end
