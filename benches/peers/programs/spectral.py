def element(i, j):
    return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1)


def times(vector, n):
    product = []
    for i in range(n):
        total = 0.0
        for j in range(n):
            total += element(i, j) * vector[j]
        product.append(total)
    return product


def times_transposed(vector, n):
    product = []
    for i in range(n):
        total = 0.0
        for j in range(n):
            total += element(j, i) * vector[j]
        product.append(total)
    return product


def run(n):
    u = [1.0] * n
    for _ in range(10):
        v = times_transposed(times(u, n), n)
        u = times_transposed(times(v, n), n)
    uv = vv = 0.0
    for i in range(n):
        uv += u[i] * v[i]
        vv += v[i] * v[i]
    return (uv / vv) ** 0.5
