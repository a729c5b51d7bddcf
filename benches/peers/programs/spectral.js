"use strict";

function element(i, j) {
  return 1.0 / (((i + j) * (i + j + 1)) / 2 + i + 1);
}

function times(vector, n) {
  const product = [];
  for (let i = 0; i < n; i++) {
    let total = 0.0;
    for (let j = 0; j < n; j++) total += element(i, j) * vector[j];
    product.push(total);
  }
  return product;
}

function timesTransposed(vector, n) {
  const product = [];
  for (let i = 0; i < n; i++) {
    let total = 0.0;
    for (let j = 0; j < n; j++) total += element(j, i) * vector[j];
    product.push(total);
  }
  return product;
}

module.exports = function (n) {
  let u = [];
  let v;
  for (let i = 0; i < n; i++) u.push(1.0);
  for (let round = 0; round < 10; round++) {
    v = timesTransposed(times(u, n), n);
    u = timesTransposed(times(v, n), n);
  }
  let uv = 0.0;
  let vv = 0.0;
  for (let i = 0; i < n; i++) {
    uv += u[i] * v[i];
    vv += v[i] * v[i];
  }
  return (uv / vv) ** 0.5;
};
