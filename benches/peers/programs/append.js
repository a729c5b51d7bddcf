"use strict";

module.exports = function (n) {
  let total = 0;
  for (let round = 0; round < 10; round++) {
    let text = "";
    for (let i = 0; i < n; i++) text += "x";
    total += text.length;
  }
  return total;
};
