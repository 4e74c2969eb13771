// View 2: one step of the optimizer in focus, from the gradient to the step, for both coordinates.

function drawAnatomy({ state, runs, names, factor }) {
  const run = runs[state.focus];
  const box = byId("anatomy");
  const k = Math.min(state.at, run.gradients.length) - 1;
  byId("anatomy-title").textContent = names[state.focus];
  if (k < 0) {
    box.replaceChildren();
    byId("anatomy-lines").replaceChildren();
    byId("anatomy-caption").textContent = T("anatomy.begin");
    return;
  }
  const traces = traceStep(run, factor, k);
  const rows = anatomyRows(run, traces, factor(k));
  box.replaceChildren(...rows.map((row) => anatomyRow(row, LAB.palette[state.focus])));
  byId("anatomy-lines").replaceChildren(...ruleLines(traces));
  byId("anatomy-caption").textContent = anatomyCaption(rows, k + 1);
}

/** What is shown: the gradient, new state, corrected moments where the rule has them, and the step. */
function anatomyRows(run, traces, lrFactor) {
  const rows = [{ name: "g", meaning: T("anatomy.g"), values: traces.map((t) => t.g) }];
  for (const slot of formOf(run.runner).slots) {
    rows.push({ name: slot.name, meaning: T("anatomy.state"), values: traces.map((t) => t.after[slot.name]) });
  }
  const parts = traces.map((t) => correctedParts(run, t, lrFactor));
  if (parts.every(Boolean)) {
    rows.push({ name: "m̂", meaning: T("anatomy.mhat"), values: parts.map((part) => part.mHat) });
    rows.push({ name: "√v̂", meaning: T("anatomy.vhat"), values: parts.map((part) => part.rootVHat) });
  }
  rows.push({ name: "Δ", meaning: T("anatomy.delta"), values: traces.map((t) => t.after.p - t.before.p) });
  return rows;
}

/** m̂ and √v̂ by the rule's own lines: it computes p - A m / (√v B + eps) with A = step_size, B = root_scale. */
function correctedParts(run, { after, lines }, lrFactor) {
  const [a, b] = [lastLine(lines, "step_size"), lastLine(lines, "root_scale")];
  if (a === undefined || b === undefined || after.m === undefined || after.v === undefined) return null;
  if (lastLine(lines, "m_hat") !== undefined || memberOf(run.runner).name.startsWith("RAdam")) return null;
  const lr = lastLine(lines, "lr") ?? hyperOf(run.runner).lr * lrFactor; // a rule may take lr out of A
  return { mHat: (a / lr) * after.m, rootVHat: Math.sqrt(after.v) * b, factor: (lr * b) / a };
}

function anatomyRow({ name, meaning, values }, colour) {
  const largest = Math.max(...values.map(Math.abs)) || 1;
  const row = htmlElement("div", { class: "anatomy-row", "data-testid": `anatomy-${name}` });
  row.append(htmlElement("span", { class: "letter" }, name, htmlElement("small", {}, meaning)));
  values.forEach((value, i) => {
    const share = (50 * Math.abs(value)) / largest;
    const bar = htmlElement("i", { style: `width:${share}%;${value < 0 ? "right:50%" : "left:50%"};background:${colour}` });
    row.append(htmlElement("span", { class: "bar", "aria-hidden": "true" }, bar), htmlElement("span", { class: "number" }, `${"xy"[i]} ${shown(value)}`));
  });
  return row;
}

function ruleLines(traces) {
  return traces[0].lines.map(([title], j) => {
    const cells = traces.map((t) => htmlElement("td", {}, shown(t.lines[j][1], 6)));
    return htmlElement("tr", {}, htmlElement("th", { scope: "row" }, title), ...cells);
  });
}

function anatomyCaption(rows, step) {
  const delta = rows.at(-1).values.map(Math.abs);
  const g = rows[0].values.map(Math.abs);
  const ratio = (pair) => Math.max(...pair) / Math.max(Math.min(...pair), 1e-300);
  if (!delta.every((d) => d > 0) || !g.every((d) => d > 0)) return T("anatomy.still", { step });
  return T("anatomy.ratio", { step, gradient: shown(ratio(g), 3), delta: shown(ratio(delta), 3) });
}
