def run(n):
    texts = ["x" * (i % 50) for i in range(1000)]
    total = 0
    for _ in range(n):
        for i in range(1000):
            total += len(texts[i])
    return total
