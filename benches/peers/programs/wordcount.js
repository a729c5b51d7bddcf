"use strict";

module.exports = function (n) {
  const words = [];
  const counts = new Map();
  for (let i = 0; i < 1000; i++) words.push("word" + i);
  let seed = 42;
  for (let i = 0; i < n; i++) {
    seed = (seed * 3877 + 29573) % 139968;
    const word = words[seed % 1000];
    if (counts.has(word)) {
      counts.set(word, counts.get(word) + 1);
    } else {
      counts.set(word, 1);
    }
  }
  let total = 0;
  for (let i = 0; i < 1000; i++) total += i * counts.get(words[i]);
  return total;
};
