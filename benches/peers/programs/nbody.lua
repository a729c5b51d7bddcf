return function(n)
  local x = { 0.0, 4.84, 8.34, 12.89, 15.37 }
  local y = { 0.0, -1.16, 4.12, -15.11, -25.91 }
  local z = { 0.0, -0.1, -0.4, -0.22, 0.17 }
  local vx = { 0.0, 0.6, -1.01, 1.08, 0.97 }
  local vy = { 0.0, 2.81, 1.82, 0.86, 0.59 }
  local vz = { 0.0, -0.02, 0.008, -0.01, -0.03 }
  local mass = { 39.47, 0.037, 0.011, 0.0017, 0.002 }
  for _ = 1, n do
    for i = 1, 5 do
      for j = i + 1, 5 do
        local dx, dy, dz = x[i] - x[j], y[i] - y[j], z[i] - z[j]
        local square = dx * dx + dy * dy + dz * dz
        local factor = 0.01 / (square * square ^ 0.5)
        vx[i] = vx[i] - dx * mass[j] * factor
        vx[j] = vx[j] + dx * mass[i] * factor
        vy[i] = vy[i] - dy * mass[j] * factor
        vy[j] = vy[j] + dy * mass[i] * factor
        vz[i] = vz[i] - dz * mass[j] * factor
        vz[j] = vz[j] + dz * mass[i] * factor
      end
    end
    for i = 1, 5 do
      x[i] = x[i] + 0.01 * vx[i]
      y[i] = y[i] + 0.01 * vy[i]
      z[i] = z[i] + 0.01 * vz[i]
    end
  end
  local energy = 0.0
  for i = 1, 5 do
    energy = energy + 0.5 * mass[i] * (vx[i] * vx[i] + vy[i] * vy[i] + vz[i] * vz[i])
    for j = i + 1, 5 do
      local dx, dy, dz = x[i] - x[j], y[i] - y[j], z[i] - z[j]
      local square = dx * dx + dy * dy + dz * dz
      energy = energy - mass[i] * mass[j] / square ^ 0.5
    end
  end
  return energy
end
