def run(n):
    total = 0
    for _ in range(10):
        text = ""
        for _ in range(n):
            text += "x"
        total += len(text)
    return total
