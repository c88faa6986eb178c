-- One patient's values of one code, newest first: another patient and code each time.
local codes = {"718-7", "4548-4", "2345-7", "2160-0", "2951-2", "2823-3", "2075-0", "3094-0", "6690-2", "789-8", "777-3", "2093-3"}
local patients = tonumber(os.getenv("PATIENTS"))
math.randomseed(1)
wrk.headers["Accept"] = "application/fhir+json"
request = function()
  local path = "/fhir/Observation?patient=Patient/p%d&code=%s&_sort=-date&_count=20"
  return wrk.format("GET", path:format(math.random(0, patients - 1), codes[math.random(#codes)]))
end
response = function(status) if status ~= 200 then print("unexpected", status) end end
