-- Posts the transaction Bundles named in $BUNDLES (one path a line), in turn.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/fhir+json"
local bodies = {}
for path in io.lines(os.getenv("BUNDLES")) do
  local file = io.open(path)
  bodies[#bodies + 1] = wrk.format("POST", "/fhir", nil, file:read("*a"))
  file:close()
end
local n = 0
request = function() n = n + 1; return bodies[n % #bodies + 1] end
response = function(status, headers, answer) if status ~= 200 then print("unexpected", status, answer) end end
