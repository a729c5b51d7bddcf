local floor = math.floor

local function sort(list, low, high)
  local i, j = low, high
  local pivot = list[floor((low + high) / 2)]
  while i <= j do
    while list[i] < pivot do i = i + 1 end
    while list[j] > pivot do j = j - 1 end
    if i <= j then
      list[i], list[j] = list[j], list[i]
      i = i + 1
      j = j - 1
    end
  end
  if low < j then sort(list, low, j) end
  if i < high then sort(list, i, high) end
end

return function(n)
  local list, seed = {}, 42
  for i = 1, n do
    seed = (seed * 3877 + 29573) % 139968
    list[i] = seed
  end
  sort(list, 1, n)
  local total = 0
  for i = 1, n do total = total + list[i] * ((i - 1) % 10) end
  return total
end
