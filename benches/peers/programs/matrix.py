def run(n):
    a = []
    b = []
    for i in range(n * n):
        a.append(i % 7 * 0.5)
        b.append(i % 5 * 0.25)
    c = []
    for i in range(n):
        for j in range(n):
            total = 0.0
            for k in range(n):
                total += a[i * n + k] * b[k * n + j]
            c.append(total)
    total = 0.0
    for i in range(n * n):
        total += c[i]
    return total
