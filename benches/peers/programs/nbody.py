def run(n):
    x = [0.0, 4.84, 8.34, 12.89, 15.37]
    y = [0.0, -1.16, 4.12, -15.11, -25.91]
    z = [0.0, -0.1, -0.4, -0.22, 0.17]
    vx = [0.0, 0.6, -1.01, 1.08, 0.97]
    vy = [0.0, 2.81, 1.82, 0.86, 0.59]
    vz = [0.0, -0.02, 0.008, -0.01, -0.03]
    mass = [39.47, 0.037, 0.011, 0.0017, 0.002]
    for _ in range(n):
        for i in range(5):
            for j in range(i + 1, 5):
                dx = x[i] - x[j]
                dy = y[i] - y[j]
                dz = z[i] - z[j]
                square = dx * dx + dy * dy + dz * dz
                factor = 0.01 / (square * square**0.5)
                vx[i] -= dx * mass[j] * factor
                vx[j] += dx * mass[i] * factor
                vy[i] -= dy * mass[j] * factor
                vy[j] += dy * mass[i] * factor
                vz[i] -= dz * mass[j] * factor
                vz[j] += dz * mass[i] * factor
        for i in range(5):
            x[i] += 0.01 * vx[i]
            y[i] += 0.01 * vy[i]
            z[i] += 0.01 * vz[i]
    energy = 0.0
    for i in range(5):
        energy += 0.5 * mass[i] * (vx[i] * vx[i] + vy[i] * vy[i] + vz[i] * vz[i])
        for j in range(i + 1, 5):
            dx = x[i] - x[j]
            dy = y[i] - y[j]
            dz = z[i] - z[j]
            square = dx * dx + dy * dy + dz * dz
            energy -= mass[i] * mass[j] / square**0.5
    return energy
