return function(n)
  local total, i = 0, 0
  while i < n do
    local j = 0
    while j < n do
      total = total + i * j
      j = j + 1
    end
    i = i + 1
  end
  return total
end
