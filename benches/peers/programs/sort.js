"use strict";

function sort(list, low, high) {
  let i = low;
  let j = high;
  const pivot = list[(low + high) >> 1];
  while (i <= j) {
    while (list[i] < pivot) i++;
    while (list[j] > pivot) j--;
    if (i <= j) {
      const other = list[i];
      list[i] = list[j];
      list[j] = other;
      i++;
      j--;
    }
  }
  if (low < j) sort(list, low, j);
  if (i < high) sort(list, i, high);
}

module.exports = function (n) {
  const list = [];
  let seed = 42;
  for (let i = 0; i < n; i++) {
    seed = (seed * 3877 + 29573) % 139968;
    list.push(seed);
  }
  sort(list, 0, n - 1);
  let total = 0;
  for (let i = 0; i < n; i++) total += list[i] * (i % 10);
  return total;
};
