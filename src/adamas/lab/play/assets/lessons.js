// Views 6 and 7: the schedule of the learning rate, and linear regression on mini-batches.

function drawSchedule({ state, factor }) {
  const points = Array.from({ length: state.steps }, (_, k) => [k, factor(k)]);
  const view = plot(byId("schedule"), 180, { x: [0, state.steps], y: [0, 1.08], xLabel: T("axis.step"), yLabel: T("axis.lrfactor") });
  view.layer.append(svgElement("path", { d: pathData(points, view.sx, view.sy), class: "curve", "data-testid": "schedule-curve" }));
  nowLine(view, state.at);
  const at = Math.min(state.at, state.steps - 1);
  byId("schedule-caption").textContent = T("schedule.now", { step: at, factor: shown(factor(at), 3), last: shown(points.at(-1)[1], 3) });
}

const ROWS = 100;
const TRUTH = { slope: 2, intercept: 1 };

/** Points on y = 2x + 1 with normal noise; the same for the same seed. */
function regressionData(state) {
  const normal = normalSource(1000 + state.seed);
  return Array.from({ length: ROWS }, (_, k) => {
    const x = -2 + (4 * k) / (ROWS - 1);
    return [x, TRUTH.slope * x + TRUTH.intercept + state.regression.spread * normal()];
  });
}

/** Mean squared error of w x + b; gradients from a fresh order of rows in every epoch. */
function regressionProblem(state, data) {
  const uniform = randomSource(5000 + state.seed);
  const { batch } = state.regression;
  const orders = [];
  const perEpoch = Math.ceil(ROWS / batch);
  for (let epoch = 0; epoch * perEpoch < state.steps; epoch += 1) {
    const order = data.map((_, i) => i);
    for (let i = order.length - 1; i > 0; i -= 1) {
      const j = Math.floor(uniform() * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    orders.push(order);
  }
  const rowsAt = (k) => orders[Math.floor(k / perEpoch)].slice((k % perEpoch) * batch, (k % perEpoch) * batch + batch);
  return {
    start: [-1, 3],
    steps: state.steps,
    walls: null,
    value: ([w, b]) => data.reduce((sum, [x, y]) => sum + (w * x + b - y) ** 2, 0) / ROWS,
    gradient: ([w, b], k) => {
      const rows = rowsAt(k);
      const sums = rows.reduce(([gw, gb], i) => {
        const [x, y] = data[i];
        const error = w * x + b - y;
        return [gw + 2 * error * x, gb + 2 * error];
      }, [0, 0]);
      return sums.map((sum) => sum / rows.length);
    },
  };
}

function drawRegression({ state, regression: { data, runs } }) {
  const view = plot(byId("regression"), 240, { x: [-2.1, 2.1], y: span(data.map((p) => p[1]), false), xLabel: "x", yLabel: "y" });
  for (const [x, y] of data) view.layer.append(svgElement("circle", { class: "datum", cx: view.sx(x), cy: view.sy(y), r: 2.6 }));
  runs.forEach((run, i) => {
    const [w, b] = pointAt(run, state.at);
    const ends = [-2.1, 2.1].map((x) => [x, w * x + b]);
    view.layer.append(svgElement("path", { d: pathData(ends, view.sx, view.sy), ...look(i), "data-testid": `line-${i}` }));
  });
  const lines = runs.map((run) => run.values.map((value, k) => [k, value]));
  const begin = runs[0].values[0];
  const y = span(lines.flat().map((p) => Math.min(p[1], begin * 3)), true);
  const loss = plot(byId("regression-loss"), 240, { x: [0, state.steps], y, yLog: true, xLabel: T("axis.step"), yLabel: T("axis.mse") });
  lines.forEach((points, i) => loss.layer.append(svgElement("path", { d: pathData(decimate(points), loss.sx, loss.sy), ...look(i) })));
  nowLine(loss, state.at);
  const [w, b] = pointAt(runs[state.focus], state.at);
  const name = labels(state.runners)[state.focus];
  byId("regression-caption").textContent = T("regression.now", { name, step: state.at, w: shown(w, 3), b: shown(b, 3), epochs: shown((state.at * state.regression.batch) / ROWS, 3) });
}
