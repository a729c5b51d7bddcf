return function(n)
  local values = {}
  for i = 0, n - 1 do values["key" .. i] = i end
  local total = 0
  for i = 0, n - 1 do total = total + values["key" .. i] end
  return total
end
