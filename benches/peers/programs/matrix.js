"use strict";

module.exports = function (n) {
  const a = [];
  const b = [];
  const c = [];
  for (let i = 0; i < n * n; i++) {
    a.push((i % 7) * 0.5);
    b.push((i % 5) * 0.25);
  }
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let total = 0.0;
      for (let k = 0; k < n; k++) total += a[i * n + k] * b[k * n + j];
      c.push(total);
    }
  }
  let total = 0.0;
  for (let i = 0; i < n * n; i++) total += c[i];
  return total;
};
