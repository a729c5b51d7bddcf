def run(n):
    total = 0
    i = 0
    while i < n:
        j = 0
        while j < n:
            total += i * j
            j += 1
        i += 1
    return total
