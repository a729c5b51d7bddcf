// Times a program of this directory: node drive.js NAME SIZE BUDGET-MS
// Prints the CPU nanoseconds of the first run and of each later run, compiler and collector threads
// included.
"use strict";

const [name, size, budget] = process.argv.slice(2);
const run = require(`./${name}.js`);

function timed() {
  const began = process.cpuUsage();
  const checksum = run(Number(size));
  const { user, system } = process.cpuUsage(began);
  return [(user + system) * 1e3, checksum];
}

const [first, checksum] = timed();
const later = [];
let spent = 0;
do {
  const [nanoseconds, again] = timed();
  if (again !== checksum) throw new Error("runs differ");
  spent += nanoseconds;
  later.push(nanoseconds);
} while (spent < Number(budget) * 1e6);
console.log(JSON.stringify({ checksum, first, later }));
