return function(n)
  local words, counts = {}, {}
  for i = 0, 999 do words[#words + 1] = "word" .. i end
  local seed = 42
  for _ = 1, n do
    seed = (seed * 3877 + 29573) % 139968
    local word = words[seed % 1000 + 1]
    local count = counts[word]
    if count then
      counts[word] = count + 1
    else
      counts[word] = 1
    end
  end
  local total = 0
  for i = 0, 999 do total = total + i * counts[words[i + 1]] end
  return total
end
