// View 5: steps to the target over learning rate and a second hyper-parameter, with the present setting marked.

const HEAT_LR = Array.from({ length: 26 }, (_, k) => Number((10 ** (-4 + k / 5)).toPrecision(3)));
const HEAT_RATES = [0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9999];
const HEAT_SECOND = ["beta2", "beta1", "momentum", "alpha", "rho"];

const heat = { key: "", cells: [], token: 0 };

/** The hyper-parameter of the vertical axis: the first of the list that the rule has as a rate below 1. */
function heatSecond(runner) {
  const known = memberOf(runner).hyper.filter((h) => HEAT_SECOND.includes(h.name) && h.default < 1);
  return HEAT_SECOND.map((name) => known.find((h) => h.name === name)).find(Boolean) ?? null;
}

function heatRows(runner) {
  const second = heatSecond(runner);
  return second ? HEAT_RATES.filter((value) => admits(second, value)) : [null];
}

function heatSetting(runner, lr, value) {
  const second = heatSecond(runner);
  return { ...runner, hyper: { ...runner.hyper, lr, ...(second && value !== null ? { [second.name]: value } : {}) } };
}

/** Fills the map row by row between frames, so that the page stays awake; a newer request ends an older one. */
function computeHeat(state, factor, redraw) {
  const runner = state.runners[state.focus];
  const { lr, ...rest } = runner.hyper;
  const second = heatSecond(runner);
  const others = Object.fromEntries(Object.entries(rest).filter(([name]) => name !== second?.name));
  const key = JSON.stringify([{ ...runner, hyper: others }, state.surface, state.start, state.steps, state.noise, state.noiseSize, state.seed, state.target, state.schedule]);
  if (key === heat.key) return;
  heat.key = key;
  heat.token += 1;
  const [token, rows, problem] = [heat.token, heatRows(runner), surfaceProblem(state)];
  heat.cells = rows.map(() => null);
  const fill = (j) => {
    if (token !== heat.token) return;
    heat.cells[j] = HEAT_LR.map((rate) => stepsToTarget(heatSetting(runner, rate, rows[j]), problem, factor, state.target));
    redraw();
    if (j + 1 < rows.length) setTimeout(fill, 0, j + 1);
  };
  setTimeout(fill, 30, 0);
}

function nearest(values, wanted, distance) {
  return values.reduce((best, v, k) => (distance(v, wanted) < distance(values[best], wanted) ? k : best), 0);
}

function heatPlace(runner) {
  const hyper = hyperOf(runner);
  const second = heatSecond(runner);
  const byLog = (a, b) => Math.abs(Math.log(a / b));
  const byRest = (a, b) => Math.abs(Math.log((1 - a) / (1 - b)));
  return [nearest(HEAT_LR, Math.max(hyper.lr, 1e-9), byLog), second ? nearest(heatRows(runner), Math.min(hyper[second.name], 0.99999), byRest) : 0];
}

/** The cell that reaches the target soonest, or null. */
function heatBest() {
  let best = null;
  heat.cells.forEach((cells, j) =>
    cells?.forEach((steps, i) => {
      if (steps !== null && (best === null || steps < best.steps)) best = { steps, i, j };
    }),
  );
  return best;
}

function drawHeat({ state, names }) {
  const svg = byId("heat");
  const runner = state.runners[state.focus];
  const rows = heatRows(runner);
  const width = Math.max(220, svg.clientWidth || 480);
  const [left, bottom, top, right] = [58, 40, 8, 8];
  const tall = rows.length > 1 ? 20 : 44;
  const height = top + bottom + rows.length * tall;
  const wide = (width - left - right) / HEAT_LR.length;
  svg.setAttribute("height", height);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren();
  const best = heatBest();
  heat.cells.forEach((cells, j) =>
    cells?.forEach((steps, i) => {
      const share = steps === null ? 0 : 1 - Math.log(steps / best.steps) / Math.log((state.steps + 1) / best.steps);
      const style = steps === null ? { class: "never" } : { fill: LAB.palette[0], "fill-opacity": (0.12 + 0.88 * share).toFixed(3) };
      const y = top + (rows.length - 1 - j) * tall;
      const cell = svgElement("rect", { x: left + i * wide, y, width: wide - 1, height: tall - 1, rx: 2, ...style, "data-cell": `${i},${j}` });
      cell.append(svgElement("title", {}, `lr ${HEAT_LR[i]}${rows[j] === null ? "" : `, ${heatSecond(runner).name} ${rows[j]}`}: ${steps ?? T("heat.never")}`));
      svg.append(cell);
    }),
  );
  HEAT_LR.forEach((lr, i) => {
    if (i % 5 === 0) svg.append(svgElement("text", { x: left + (i + 0.5) * wide, y: height - bottom + 15, "text-anchor": "middle" }, shown(lr)));
  });
  rows.forEach((value, j) => {
    if (value !== null) svg.append(svgElement("text", { x: left - 6, y: top + (rows.length - 0.5 - j) * tall + 4, "text-anchor": "end" }, String(value)));
  });
  svg.append(svgElement("text", { class: "axis", x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, "lr"));
  const second = heatSecond(runner);
  if (second) svg.append(svgElement("text", { class: "axis", transform: `translate(11 ${(top + height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, second.name));
  const [i, j] = heatPlace(runner);
  svg.append(svgElement("rect", { class: "present", x: left + i * wide - 1.5, y: top + (rows.length - 1 - j) * tall - 1.5, width: wide + 2, height: tall + 2, rx: 3, "data-testid": "heat-present" }));
  byId("heat-title").textContent = names[state.focus];
  byId("heat-caption").textContent = heatCaption(state, rows, second, best, [i, j]);
}

function heatCaption(state, rows, second, best, [i, j]) {
  const target = shown(state.target);
  if (!best) return T("heat.no", { target, steps: state.steps });
  const setting = `lr ${HEAT_LR[best.i]}${second ? `, ${second.name} ${rows[best.j]}` : ""}`;
  const here = heat.cells[j]?.[i] ?? null;
  return T("heat.best", { target, setting, steps: best.steps, here: here ?? T("heat.never") });
}
