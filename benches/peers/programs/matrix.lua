return function(n)
  local a, b, c = {}, {}, {}
  for i = 0, n * n - 1 do
    a[#a + 1] = i % 7 * 0.5
    b[#b + 1] = i % 5 * 0.25
  end
  for i = 0, n - 1 do
    for j = 1, n do
      local total = 0.0
      for k = 0, n - 1 do total = total + a[i * n + k + 1] * b[k * n + j] end
      c[#c + 1] = total
    end
  end
  local total = 0.0
  for i = 1, #c do total = total + c[i] end
  return total
end
