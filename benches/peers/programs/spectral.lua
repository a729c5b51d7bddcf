local function element(i, j)
  return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1)
end

local function times(vector, n)
  local product = {}
  for i = 0, n - 1 do
    local total = 0.0
    for j = 0, n - 1 do total = total + element(i, j) * vector[j + 1] end
    product[#product + 1] = total
  end
  return product
end

local function times_transposed(vector, n)
  local product = {}
  for i = 0, n - 1 do
    local total = 0.0
    for j = 0, n - 1 do total = total + element(j, i) * vector[j + 1] end
    product[#product + 1] = total
  end
  return product
end

return function(n)
  local u, v = {}, nil
  for i = 1, n do u[i] = 1.0 end
  for _ = 1, 10 do
    v = times_transposed(times(u, n), n)
    u = times_transposed(times(v, n), n)
  end
  local uv, vv = 0.0, 0.0
  for i = 1, n do
    uv = uv + u[i] * v[i]
    vv = vv + v[i] * v[i]
  end
  return (uv / vv) ^ 0.5
end
