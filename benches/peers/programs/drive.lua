-- Times a program of this directory: lua drive.lua NAME SIZE BUDGET-MS
-- Prints the CPU nanoseconds of the first run and of each later run.
local directory = arg[0]:match("^(.*/)") or "./"
local run = dofile(directory .. arg[1] .. ".lua")
local size, budget = tonumber(arg[2]), tonumber(arg[3]) / 1e3
local clock = os.clock

local function timed()
  local began = clock()
  local checksum = run(size)
  return clock() - began, checksum
end

local first, checksum = timed()
local later, spent = {}, 0
repeat
  local seconds, again = timed()
  if again ~= checksum then error("runs differ") end
  spent = spent + seconds
  later[#later + 1] = string.format("%.0f", seconds * 1e9)
until spent >= budget
print(string.format('{"checksum":%.17g,"first":%.0f,"later":[%s]}',
  checksum, first * 1e9, table.concat(later, ",")))
