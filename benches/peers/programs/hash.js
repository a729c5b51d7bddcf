"use strict";

module.exports = function (n) {
  const values = new Map();
  for (let i = 0; i < n; i++) values.set("key" + i, i);
  let total = 0;
  for (let i = 0; i < n; i++) total += values.get("key" + i);
  return total;
};
