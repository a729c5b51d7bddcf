"use strict";

module.exports = function (n) {
  const list = [];
  for (let i = 0; i < n; i++) list.push(i);
  let total = 0;
  for (let i = 0; i < n; i++) total += list[i];
  return total;
};
