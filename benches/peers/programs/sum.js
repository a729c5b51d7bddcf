"use strict";

module.exports = function (n) {
  let total = 0;
  let i = 0;
  while (i < n) {
    total += i;
    i += 1;
  }
  return total;
};
