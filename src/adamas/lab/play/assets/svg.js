// Small drawing kit: SVG elements, scales, axes, line charts.

const SVG = "http://www.w3.org/2000/svg";

function svgElement(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes ?? {})) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Maps [low, high] to pixels [from, to], linearly or by logarithm. */
function scale([low, high], [from, to], log = false) {
  const f = log ? Math.log10 : (x) => x;
  const [a, b] = [f(low), f(high)];
  const map = (x) => from + ((f(x) - a) / (b - a || 1)) * (to - from);
  map.invert = (pixel) => {
    const u = a + ((pixel - from) / (to - from)) * (b - a);
    return log ? 10 ** u : u;
  };
  map.domain = [low, high];
  map.log = log;
  return map;
}

function ticks([low, high], log, about) {
  if (log) {
    const [a, b] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
    const every = Math.max(1, Math.ceil((b - a + 1) / about));
    const out = [];
    for (let e = a; e <= b; e += every) out.push(10 ** e);
    return out;
  }
  const raw = (high - low) / about;
  const power = 10 ** Math.floor(Math.log10(raw));
  const size = [1, 2, 5, 10].find((m) => m * power >= raw) * power;
  const out = [];
  for (let k = Math.ceil(low / size - 1e-9); k * size <= high + size * 1e-9; k += 1) out.push(k * size);
  return out;
}

/** A number for people: four digits, no trailing zeros. */
function shown(x, digits = 4) {
  if (x === undefined || x === null) return "–";
  if (Number.isNaN(x)) return "NaN";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "-∞";
  if (x === 0) return "0";
  const size = Math.abs(x);
  if (size >= 1e5 || size < 1e-3) {
    const [mantissa, exponent] = x.toExponential(Math.min(2, digits - 1)).split("e");
    return `${Number(mantissa)}e${Number(exponent)}`;
  }
  return String(Number(x.toPrecision(digits)));
}

const MARGIN = { left: 62, right: 18, top: 12, bottom: 38 };

/** An empty plot in an SVG: clears it, draws grid, ticks and axis labels; gives back scales and a clipped layer. */
function plot(svg, height, { x, y, xLog = false, yLog = false, xLabel, yLabel }) {
  const width = Math.max(220, svg.clientWidth || 480);
  svg.setAttribute("height", height);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const sx = scale(x, [MARGIN.left, width - MARGIN.right], xLog);
  const sy = scale(y, [height - MARGIN.bottom, MARGIN.top], yLog);
  const grid = svgElement("g", { class: "grid" });
  for (const tick of ticks(x, xLog, width / 80)) {
    grid.append(svgElement("line", { x1: sx(tick), x2: sx(tick), y1: MARGIN.top, y2: height - MARGIN.bottom }));
    grid.append(svgElement("text", { x: sx(tick), y: height - MARGIN.bottom + 15, "text-anchor": "middle" }, shown(tick)));
  }
  for (const tick of ticks(y, yLog, height / 45)) {
    grid.append(svgElement("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: sy(tick), y2: sy(tick) }));
    grid.append(svgElement("text", { x: MARGIN.left - 6, y: sy(tick) + 4, "text-anchor": "end" }, shown(tick)));
  }
  const middle = (MARGIN.left + width - MARGIN.right) / 2;
  grid.append(svgElement("text", { class: "axis", x: middle, y: height - 5, "text-anchor": "middle" }, xLabel));
  const turn = `translate(12 ${(MARGIN.top + height - MARGIN.bottom) / 2}) rotate(-90)`;
  grid.append(svgElement("text", { class: "axis", transform: turn, "text-anchor": "middle" }, yLabel));
  const clip = `clip-${svg.id}`;
  const area = { x: MARGIN.left, y: MARGIN.top, width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom };
  const layer = svgElement("g", { "clip-path": `url(#${clip})` });
  svg.replaceChildren(svgElement("defs", {}, svgElement("clipPath", { id: clip }, svgElement("rect", area))), grid, layer);
  return { sx, sy, layer, width, height, area };
}

/** A path through points; a point that cannot be drawn breaks the line. */
function pathData(points, sx, sy) {
  let data = "";
  let pen = false;
  for (const [x, y] of points) {
    const [px, py] = [sx(x), sy(y)];
    const visible = Number.isFinite(px) && Number.isFinite(py);
    if (visible) data += `${pen ? "L" : "M"}${clamp(px, -9999, 9999).toFixed(1)} ${clamp(py, -9999, 9999).toFixed(1)}`;
    pen = visible;
  }
  return data;
}

/** At most about `limit` points: of each bucket the lowest and the highest, so that no spike is lost. */
function decimate(points, limit = 800) {
  if (points.length <= limit) return points;
  const size = Math.ceil((2 * points.length) / limit);
  const out = [];
  for (let k = 0; k < points.length; k += size) {
    const bucket = points.slice(k, k + size).sort((a, b) => a[1] - b[1]);
    const ends = [bucket[0], bucket.at(-1)].sort((a, b) => a[0] - b[0]);
    out.push(...ends);
  }
  return out;
}

const DASHES = ["", "7 3", "2 3", "9 3 2 3", "14 4", "5 2 1 2 1 2"];
const look = (i) => ({ stroke: LAB.palette[i], "stroke-dasharray": DASHES[i], "stroke-width": 2.2, fill: "none" });

function span(values, log) {
  const usable = values.filter((v) => Number.isFinite(v) && (!log || v > 0));
  if (!usable.length) return log ? [0.1, 1] : [0, 1];
  let low = Infinity;
  let high = -Infinity;
  for (const v of usable) [low, high] = [Math.min(low, v), Math.max(high, v)];
  if (low === high) return log ? [low / 2, high * 2] : [low - 0.5, high + 0.5];
  const pad = log ? 0 : (high - low) * 0.05;
  return [low - pad, high + pad];
}
