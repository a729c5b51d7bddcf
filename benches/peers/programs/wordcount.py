def run(n):
    words = [f"word{i}" for i in range(1000)]
    counts = {}
    seed = 42
    for _ in range(n):
        seed = (seed * 3877 + 29573) % 139968
        word = words[seed % 1000]
        if word in counts:
            counts[word] += 1
        else:
            counts[word] = 1
    total = 0
    for i in range(1000):
        total += i * counts[words[i]]
    return total
