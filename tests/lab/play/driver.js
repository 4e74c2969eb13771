// Runs a printed rule over a sequence of gradients; reads {source, cases} and writes p and state after every step.
"use strict";
const { source, cases } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const members = eval(source);
const results = cases.map(({ member, form, hyper, gradients }) => {
  const { slots, step } = members[member].forms[form];
  let state = { p: 1.5 };
  for (const slot of slots) state[slot.name] = typeof slot.start === "string" ? hyper[slot.start] : slot.start;
  return gradients.map((g, k) => {
    state = step({ ...hyper, ...state, g, t: k + 1 });
    return state;
  });
});
process.stdout.write(JSON.stringify(results));
