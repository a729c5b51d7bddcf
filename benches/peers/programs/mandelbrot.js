"use strict";

module.exports = function (n) {
  let total = 0;
  for (let y = 0; y < n; y++) {
    const ci = 0.0125 * y - 1.0;
    for (let x = 0; x < n; x++) {
      const cr = 0.0125 * x - 1.5;
      let zr = 0.0;
      let zi = 0.0;
      let k = 0;
      while (k < 50) {
        const zr2 = zr * zr;
        const zi2 = zi * zi;
        if (zr2 + zi2 > 4.0) break;
        zi = 2.0 * zr * zi + ci;
        zr = zr2 - zi2 + cr;
        k++;
      }
      total += k;
    }
  }
  return total;
};
