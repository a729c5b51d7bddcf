"use strict";

module.exports = function (n) {
  let total = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) total += i * j;
  }
  return total;
};
