// A transform: what an order comes to. The module of the README, written in JavaScript.

import host from "modrack:host/host@1.0.0";

let tax = 0;

// A number under a name of a row, which is its first part.
function number(row, name) {
  const [first] = row.parts;
  const field = first?.tag === "map" && first.val.find(([field]) => field === name);
  if (!field) {
    throw failure("KeyError", name);
  }
  const part = row.parts[field[1]];
  if (part.tag !== "int" && part.tag !== "float") {
    throw failure("TypeError", `\`${name}\` is no number`);
  }
  return part.val;
}

// What is thrown becomes the error of the function, when it has the fields of `error` in `contracts/types.wit`.
function failure(kind, message) {
  return { class: kind, message, hint: null, causes: [], traceback: null };
}

export const lifecycle = {
  initialize() {
    const given = host.config("tax");
    if (given) {
      tax = given.parts[0].val;
    }
    host.log("debug", `The rate is ${tax}`);
  },

  shutdown() {},
};

export const transform = {
  transform(row) {
    const quantity = number(row, "quantity");
    if (quantity === 0) {
      return { parts: [{ tag: "null" }] };
    }
    const total = Math.round(number(row, "price") * quantity * (1 + tax) * 100) / 100;
    const [first, ...rest] = row.parts;
    const fields = [...first.val, ["total", row.parts.length]];
    return { parts: [{ tag: "map", val: fields }, ...rest, { tag: "float", val: total }] };
  },
};
