// View 1: the paths on the surface, and the loss of each against the steps.

function drawRace({ state, runs, names }) {
  const svg = byId("race");
  const landscape = landscapeOf(state);
  const [wx, wy] = landscape.window;
  const height = clamp(Math.round((svg.clientWidth || 480) * 0.68), 300, 480);
  const { sx, sy, layer, area } = plot(svg, height, { x: wx, y: wy, xLabel: "x", yLabel: "y" });
  const picture = surfacePicture(landscape);
  const frame = { x: area.x, y: area.y, width: area.width, height: area.height, preserveAspectRatio: "none" };
  layer.append(svgElement("image", { ...frame, href: picture.image }));
  const toPixels = `translate(${area.x} ${area.y + area.height}) scale(${area.width / GRID_SIZE} ${-area.height / GRID_SIZE})`;
  const lines = svgElement("g", { class: "contours", transform: toPixels });
  for (const d of picture.paths) lines.append(svgElement("path", { d, "vector-effect": "non-scaling-stroke" }));
  layer.append(lines);
  if (!landscape.walled) layer.append(svgElement("path", { class: "star", d: starPath(sx(landscape.optimum[0]), sy(landscape.optimum[1]), 9) }));
  runs.forEach((run, i) => {
    const done = run.coordinates.slice(0, state.at + 1).map((c) => c.map((one) => one.p));
    const path = svgElement("path", { d: pathData(done, sx, sy), ...look(i) });
    path.dataset.testid = `path-${i}`;
    layer.append(path);
    if (run.coordinates.length <= 130) {
      for (const z of done.slice(1)) layer.append(svgElement("circle", { cx: clamp(sx(z[0]), -99, 9999), cy: clamp(sy(z[1]), -99, 9999), r: 1.8, fill: LAB.palette[i] }));
    }
    const [x, y] = pointAt(run, state.at);
    const dot = svgElement("circle", { class: "head", cx: clamp(sx(x), -99, 9999), cy: clamp(sy(y), -99, 9999), r: 6, fill: LAB.palette[i] });
    dot.append(svgElement("title", {}, names[i]));
    layer.append(dot);
  });
  const [x, y] = state.start.map((p, i) => (i ? sy(p) : sx(p)));
  layer.append(svgElement("circle", { class: "start-halo", cx: x, cy: y, r: 13 }), svgElement("rect", { class: "start", x: x - 5, y: y - 5, width: 10, height: 10, rx: 2 }));
  raceScales = { sx, sy };
  byId("race-caption").textContent = raceCaption(state, runs, names);
}

let raceScales = null;

function starPath(x, y, r) {
  const corners = Array.from({ length: 10 }, (_, k) => {
    const [angle, radius] = [(Math.PI * k) / 5 - Math.PI / 2, k % 2 ? r * 0.42 : r];
    return `${x + radius * Math.cos(angle)} ${y + radius * Math.sin(angle)}`;
  });
  return `M${corners.join("L")}Z`;
}

function raceCaption(state, runs, names) {
  const alive = runs.map((run, i) => ({ name: names[i], value: valueAt(run, state.at), broke: run.broke !== null && run.broke <= state.at }));
  const standing = alive.filter((r) => !r.broke).sort((a, b) => a.value - b.value);
  const gone = alive.filter((r) => r.broke).map((r) => r.name);
  const parts = [];
  if (state.at === 0) parts.push(T("race.begin", { x: shown(state.start[0]), y: shown(state.start[1]) }));
  else if (standing.length) {
    parts.push(T("race.lowest", { step: state.at, name: standing[0].name, value: shown(standing[0].value) }));
    if (standing.length > 1) parts.push(T("race.highest", { name: standing.at(-1).name, value: shown(standing.at(-1).value) }));
  }
  if (gone.length) parts.push(T("race.gone", { names: gone.join(", ") }));
  return parts.join(" ");
}

function drawLoss({ state, runs }) {
  const floor = 1e-12; // lower values are drawn here: nothing is gained below it
  const lines = runs.map((run) => run.values.map((value, k) => [k, Math.max(value, floor)]));
  const log = !landscapeOf(state).walled && runs.every((run) => run.values.every((value) => value >= 0));
  const begin = Math.max(...runs.map((run) => run.values[0]));
  const [low, high] = span(lines.flat().map((point) => Math.min(point[1], begin * 1e4)), log);
  const view = plot(byId("loss"), 290, { x: [0, state.steps], y: [low, high], yLog: log, xLabel: T("axis.step"), yLabel: "f" });
  const { sx, sy, layer, area } = view;
  if (state.target > low && state.target < high) {
    layer.append(svgElement("line", { class: "target", x1: area.x, x2: area.x + area.width, y1: sy(state.target), y2: sy(state.target) }));
  }
  lines.forEach((points, i) => layer.append(svgElement("path", { d: pathData(decimate(points), sx, sy), ...look(i), "data-testid": `loss-${i}` })));
  nowLine(view, state.at);
  byId("loss-caption").textContent = lossCaption(state, runs);
}

function nowLine({ sx, layer, area }, at) {
  layer.append(svgElement("line", { class: "now", x1: sx(at), x2: sx(at), y1: area.y, y2: area.y + area.height }));
}

function lossCaption(state, runs) {
  const names = labels(state.runners);
  const reached = runs.map((run, i) => ({ name: names[i], step: run.values.findIndex((v) => v <= state.target) }));
  const known = reached.filter((r) => r.step >= 0).sort((a, b) => a.step - b.step);
  const target = shown(state.target);
  if (!known.length) return T("loss.none", { target, steps: state.steps });
  return T("loss.reached", { target, list: known.map((r) => `${r.name}: ${r.step}`).join(" · ") });
}
