def run(n):
    total = 0
    for y in range(n):
        ci = 0.0125 * y - 1.0
        for x in range(n):
            cr = 0.0125 * x - 1.5
            zr = zi = 0.0
            k = 0
            while k < 50:
                zr2 = zr * zr
                zi2 = zi * zi
                if zr2 + zi2 > 4.0:
                    break
                zi = 2.0 * zr * zi + ci
                zr = zr2 - zi2 + cr
                k += 1
            total += k
    return total
