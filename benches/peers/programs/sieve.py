def run(n):
    prime = []
    for i in range(n):
        prime.append(True)
    count = 0
    for i in range(2, n):
        if prime[i]:
            count += 1
            for j in range(i * i, n, i):
                prime[j] = False
    return count
