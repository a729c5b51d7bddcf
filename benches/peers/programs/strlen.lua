return function(n)
  local list = {}
  for i = 0, 999 do list[#list + 1] = ("x"):rep(i % 50) end
  local total = 0
  for _ = 1, n do
    for i = 1, 1000 do total = total + #list[i] end
  end
  return total
end
