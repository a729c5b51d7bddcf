return function(n)
  local total = 0
  for y = 0, n - 1 do
    local ci = 0.0125 * y - 1.0
    for x = 0, n - 1 do
      local cr = 0.0125 * x - 1.5
      local zr, zi = 0.0, 0.0
      local k = 0
      while k < 50 do
        local zr2, zi2 = zr * zr, zi * zi
        if zr2 + zi2 > 4.0 then break end
        zi = 2.0 * zr * zi + ci
        zr = zr2 - zi2 + cr
        k = k + 1
      end
      total = total + k
    end
  end
  return total
end
