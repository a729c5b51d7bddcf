def run(n):
    values = []
    for i in range(n):
        values.append(i)
    total = 0
    for i in range(n):
        total += values[i]
    return total
