local function pick(list, text, i)
  return list[i + 1] + #text
end

return function(n)
  local list, text = {}, "hello"
  for i = 0, 99 do list[#list + 1] = i end
  local total = 0
  for i = 0, n - 1 do total = total + pick(list, text, i % 100) end
  return total
end
