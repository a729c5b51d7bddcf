"use strict";

module.exports = function (n) {
  const list = [];
  for (let i = 0; i < 1000; i++) list.push("x".repeat(i % 50));
  let total = 0;
  for (let round = 0; round < n; round++) {
    for (let i = 0; i < 1000; i++) total += list[i].length;
  }
  return total;
};
