return function(n)
  local total = 0
  for _ = 1, 10 do
    local text = ""
    for _ = 1, n do text = text .. "x" end
    total = total + #text
  end
  return total
end
