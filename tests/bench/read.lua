-- Reads a random Observation of those whose ids stand in the file $IDS.
local ids = {}
for line in io.lines(os.getenv("IDS")) do ids[#ids + 1] = line end
math.randomseed(1)
wrk.headers["Accept"] = "application/fhir+json"
request = function() return wrk.format("GET", "/fhir/Observation/" .. ids[math.random(#ids)]) end
response = function(status) if status ~= 200 then print("unexpected", status) end end
