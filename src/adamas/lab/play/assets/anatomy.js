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
    byId("anatomy-moments").textContent = "";
    return;
  }
  const traces = traceStep(run, factor, k);
  const rows = anatomyRows(run, traces);
  box.replaceChildren(...rows.map((row) => anatomyRow(row, LAB.palette[state.focus])));
  byId("anatomy-lines").replaceChildren(...ruleLines(traces));
  byId("anatomy-caption").textContent = anatomyCaption(rows, k + 1);
  byId("anatomy-moments").textContent = momentsText(run, traces[0], names[state.focus]);
}

/** What is shown: the gradient, new state, the moments as the step takes them, and the step. */
function anatomyRows(run, traces) {
  const rows = [{ name: "g", meaning: T("anatomy.g"), values: traces.map((t) => t.g) }];
  const entering = traces.map((t) => lastLine(t.lines, "g") ?? t.g);
  if (traces.some((t, i) => t.g !== entering[i])) rows.push({ name: "g′", meaning: T("anatomy.entering"), values: entering });
  for (const slot of formOf(run.runner).slots) {
    rows.push({ name: slot.name, meaning: T("anatomy.state"), values: traces.map((t) => t.after[slot.name]) });
  }
  for (const moment of formOf(run.runner).moments) rows.push(...momentRows(moment, traces));
  rows.push({ name: "Δ", meaning: T("anatomy.delta"), values: traces.map((t) => t.after.p - t.before.p) });
  return rows;
}

/** A moment as the step takes it, unless that is the state itself: corrected, or under the root. */
function momentRows(moment, traces) {
  const { slot, size, root, beta, corrected, line } = moment;
  if (!line && !beta && !root) return [];
  const name = `${root ? "√" : ""}${slot}${line || beta ? "\u0302" : ""}`;
  const kind = line || beta ? "corrected" : corrected ? "already" : "raw";
  const values = traces.map((trace) => {
    const value = line ? lastLine(trace.lines, line) : trace.after[slot] / correctionOf(moment, trace);
    return root ? Math.sqrt(value) : value;
  });
  return [{ name, meaning: T(`anatomy.${size ? "size" : "direction"}.${kind}`), values }];
}

/** What the rule divides a moment by at this step; 1 where it corrects nothing. */
const correctionOf = ({ beta }, trace) => (beta ? lastLine(trace.lines, `1 - ${beta}^t`) : 1);

/** In words: how the moments of this step are corrected, or that there are none, or no correction. */
function momentsText(run, trace, name) {
  const { moments } = formOf(run.runner);
  if (!moments.length) return T("moments.none", { name });
  const hats = moments.filter((m) => m.line || m.beta);
  const rest = moments.filter((m) => !hats.includes(m) && !m.corrected).map((m) => m.slot).join(", ");
  if (!hats.length) return T("moments.raw", { name, list: rest });
  const equations = hats.map((m) => `${m.slot}\u0302 = ${m.line ?? `${m.slot} / (1 − ${m.beta}ᵗ) = ${m.slot} / ${shown(correctionOf(m, trace))}`}`);
  return [`${equations.join(", ")}.`, rest && T("moments.rest", { list: rest })].filter(Boolean).join(" ");
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
  const titles = traces[0].lines.map(([title]) => title);
  const values = titles.map((_, j) => traces.map((t) => t.lines[j][1]));
  // a gradient that no clipping changes passes through several lines of the same name
  const news = titles.map((title, j) => title !== titles[j - 1] || values[j].some((value, i) => value !== values[j - 1][i]));
  return titles.flatMap((title, j) => {
    const cells = values[j].map((value) => htmlElement("td", {}, shown(value, 6)));
    return news[j] ? [htmlElement("tr", {}, htmlElement("th", { scope: "row" }, title), ...cells)] : [];
  });
}

function anatomyCaption(rows, step) {
  const delta = rows.at(-1).values.map(Math.abs);
  const g = rows[0].values.map(Math.abs);
  const ratio = (pair) => Math.max(...pair) / Math.max(Math.min(...pair), 1e-300);
  if (!delta.every((d) => d > 0) || !g.every((d) => d > 0)) return T("anatomy.still", { step });
  return T("anatomy.ratio", { step, gradient: shown(ratio(g), 3), delta: shown(ratio(delta), 3) });
}
