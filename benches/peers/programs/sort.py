def sort(values, low, high):
    i = low
    j = high
    pivot = values[(low + high) >> 1]
    while i <= j:
        while values[i] < pivot:
            i += 1
        while values[j] > pivot:
            j -= 1
        if i <= j:
            values[i], values[j] = values[j], values[i]
            i += 1
            j -= 1
    if low < j:
        sort(values, low, j)
    if i < high:
        sort(values, i, high)


def run(n):
    values = []
    seed = 42
    for _ in range(n):
        seed = (seed * 3877 + 29573) % 139968
        values.append(seed)
    sort(values, 0, n - 1)
    total = 0
    for i in range(n):
        total += values[i] * (i % 10)
    return total
