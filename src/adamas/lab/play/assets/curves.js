// Views 3 and 4: what bias correction does, and the rate that each coordinate really gets.

/**
 * By what the step would be longer without bias correction: the correction of the direction over that of the size.
 * Null where t serves the rule for more than that, or where the state itself holds corrected values.
 */
function correctionFactor(run, k) {
  const { moments, switchable } = formOf(run.runner);
  const direction = moments.find((m) => !m.size && m.beta);
  if (!switchable || !direction || moments.some((m) => m.corrected)) return null;
  const size = moments.findLast((m) => m.size);
  const trace = traceStep(run, () => 1, k)[0];
  const below = size ? correctionOf(size, trace) : 1;
  return correctionOf(direction, trace) / (size?.root ? Math.sqrt(below) : below);
}

function drawBias({ state, runs, names }) {
  const run = runs[state.focus];
  const corrected = { ...run, runner: { ...run.runner, correct: true, cautious: false } };
  const points = run.gradients.map((_, k) => [k + 1, correctionFactor(corrected, k)]).filter(([, factor]) => factor !== null);
  byId("bias-title").textContent = names[state.focus];
  const svg = byId("bias");
  if (!points.length) {
    svg.replaceChildren();
    svg.setAttribute("height", 0);
    byId("bias-caption").textContent = T("bias.none", { name: names[state.focus] });
    return;
  }
  const last = Math.max(2, points.length);
  const values = points.map((p) => p[1]);
  const view = plot(svg, 270, { x: [1, last], xLog: true, y: [0, Math.max(1.5, ...values) * 1.05], xLabel: T("axis.t"), yLabel: T("axis.factor") });
  const { sx, sy, layer, area } = view;
  layer.append(svgElement("line", { class: "target", x1: area.x, x2: area.x + area.width, y1: sy(1), y2: sy(1) }));
  layer.append(svgElement("path", { d: pathData(points, sx, sy), ...look(state.focus), "data-testid": "bias-curve" }));
  const peak = points.reduce((a, b) => (Math.abs(b[1] - 1) > Math.abs(a[1] - 1) ? b : a));
  if (state.at > 0) nowLine(view, Math.min(state.at, last));
  layer.append(svgElement("circle", { class: "head", cx: sx(peak[0]), cy: sy(peak[1]), r: 5, fill: LAB.palette[state.focus] }));
  byId("bias-caption").textContent = T(peak[0] === 1 ? "bias.first" : "bias.peak", { first: shown(values[0], 3), peak: shown(peak[1], 3), step: peak[0], last: shown(values.at(-1), 3), steps: points.length });
}

/** -Δ/g per coordinate: the learning rate that gradient descent would need to make the same step. */
function effectiveRates(run) {
  return [0, 1].map((i) =>
    run.gradients.map((g, k) => {
      const delta = run.coordinates[k + 1][i].p - run.coordinates[k][i].p;
      return [k + 1, g[i] === 0 ? NaN : -delta / g[i]];
    }),
  );
}

function drawRates({ state, runs, names }) {
  const run = runs[state.focus];
  const rates = effectiveRates(run).map((points) => points.map(([k, r]) => [k, r > 0 ? r : NaN]));
  byId("rates-title").textContent = names[state.focus];
  const y = span(rates.flat().map((p) => p[1]), true);
  const view = plot(byId("rates"), 270, { x: [0, state.steps], y: [y[0] / 1.3, y[1] * 1.3], yLog: true, xLabel: T("axis.step"), yLabel: "−Δ/g" });
  rates.forEach((points, i) => {
    const style = { ...look(i ? 1 : 0), stroke: LAB.palette[state.focus], "stroke-dasharray": i ? "3 3" : "" };
    view.layer.append(svgElement("path", { d: pathData(decimate(points), view.sx, view.sy), ...style, "data-testid": `rate-${"xy"[i]}` }));
  });
  nowLine(view, state.at);
  const middle = (points) => points.map((p) => p[1]).filter(Number.isFinite).sort((a, b) => a - b);
  const [mx, my] = rates.map(middle).map((sorted) => sorted[sorted.length >> 1]);
  byId("rates-caption").textContent = mx && my ? T("rates.median", { x: shown(mx, 3), y: shown(my, 3), ratio: shown(Math.max(mx, my) / Math.min(mx, my), 3) }) : T("rates.none");
}
