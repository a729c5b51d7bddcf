return function(n)
  local list = {}
  for i = 0, n - 1 do list[#list + 1] = i end
  local total = 0
  for i = 1, n do total = total + list[i] end
  return total
end
