// Contour lines of a surface by marching squares, and a wash of colour beneath them.

const GRID_SIZE = 90;
const LEVELS = 14;

/** Values on a grid over the window, and levels evenly spaced in the logarithm of f. */
function sampleSurface(landscape) {
  const [[x0, x1], [y0, y1]] = landscape.window;
  const values = [];
  for (let j = 0; j <= GRID_SIZE; j += 1) {
    const row = [];
    for (let i = 0; i <= GRID_SIZE; i += 1) {
      row.push(landscape.value([x0 + ((x1 - x0) * i) / GRID_SIZE, y0 + ((y1 - y0) * j) / GRID_SIZE]));
    }
    values.push(row);
  }
  const flat = values.flat();
  const high = Math.max(...flat);
  const low = Math.max(Math.min(...flat), high * 1e-4);
  const levels = Array.from({ length: LEVELS }, (_, k) => low * (high / low) ** ((k + 0.5) / LEVELS));
  return { values, levels, low, high };
}

/** One level as path data in grid units. */
function contourPath(values, level) {
  let data = "";
  const cross = (a, b) => (level - a) / (b - a);
  for (let j = 0; j < GRID_SIZE; j += 1) {
    for (let i = 0; i < GRID_SIZE; i += 1) {
      const [a, b, c, d] = [values[j][i], values[j][i + 1], values[j + 1][i + 1], values[j + 1][i]];
      const ends = [];
      if (a > level !== b > level) ends.push([i + cross(a, b), j]);
      if (b > level !== c > level) ends.push([i + 1, j + cross(b, c)]);
      if (d > level !== c > level) ends.push([i + cross(d, c), j + 1]);
      if (a > level !== d > level) ends.push([i, j + cross(a, d)]);
      for (let k = 0; k + 1 < ends.length; k += 2) {
        data += `M${ends[k].map((u) => u.toFixed(2)).join(" ")}L${ends[k + 1].map((u) => u.toFixed(2)).join(" ")}`;
      }
    }
  }
  return data;
}

const sampled = {};

/** Contours and colour of a surface, computed once. */
function surfacePicture(landscape) {
  return (sampled[landscape.name] ??= (() => {
    const { values, levels, low, high } = sampleSurface(landscape);
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = GRID_SIZE + 1;
    const context = canvas.getContext("2d");
    const image = context.createImageData(canvas.width, canvas.height);
    values.forEach((row, j) =>
      row.forEach((value, i) => {
        const depth = 1 - clamp(Math.log(Math.max(value, low) / low) / Math.log(high / low), 0, 1);
        const at = 4 * ((GRID_SIZE - j) * canvas.width + i);
        image.data.set([68, 119, 170, 12 + 110 * depth ** 1.4], at);
      }),
    );
    context.putImageData(image, 0, 0);
    return { paths: levels.map((level) => contourPath(values, level)), image: canvas.toDataURL() };
  })());
}
