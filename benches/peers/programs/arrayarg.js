"use strict";

function pick(list, text, i) {
  return list[i] + text.length;
}

module.exports = function (n) {
  const list = [];
  const text = "hello";
  for (let i = 0; i < 100; i++) list.push(i);
  let total = 0;
  for (let i = 0; i < n; i++) total += pick(list, text, i % 100);
  return total;
};
