def pick(values, text, i):
    return values[i] + len(text)


def run(n):
    values = list(range(100))
    text = "hello"
    total = 0
    for i in range(n):
        total += pick(values, text, i % 100)
    return total
