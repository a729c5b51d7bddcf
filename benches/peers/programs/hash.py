def run(n):
    values = {}
    for i in range(n):
        values[f"key{i}"] = i
    total = 0
    for i in range(n):
        total += values[f"key{i}"]
    return total
