// A slider with a number field beside it, on the axis that suits its hyper-parameter.

const POSITIONS = 400;

/** Position on the slider (0 to POSITIONS) for a value, and back: by logarithm, by 1 - logarithm, or linear. */
function axisFor(hyper) {
  const logarithmic = (low, high, zero) => ({
    to: (value) => (value <= 0 ? 0 : POSITIONS * (Math.log(value / low) / Math.log(high / low))),
    from: (u) => (zero && u === 0 ? 0 : tidy(low * (high / low) ** (u / POSITIONS))),
  });
  if (hyper.off) return offAxis(logarithmic(1e-3, 100, false));
  if (hyper.name === "lr") return logarithmic(1e-5, 10, false);
  if (hyper.name === "warmup") return linearAxis(0, 200, true);
  if (hyper.high === 1 || (hyper.default >= 0.5 && hyper.default < 1)) {
    return { to: (value) => (-POSITIONS / 5) * Math.log10(1 - Math.min(value, 0.99999)), from: (u) => tidy(1 - 10 ** ((-5 * u) / POSITIONS)) };
  }
  if (hyper.default >= 1) return linearAxis(0, 4 * hyper.default);
  return logarithmic(Math.min(1e-6, hyper.default || 1e-6) * 1e-4, 10, true);
}

/** Evenly from low to high; whole numbers get a position each, so that one press of a key is one of them. */
function linearAxis(low, high, whole = false) {
  const positions = whole ? high - low : POSITIONS;
  return {
    positions,
    to: (value) => (positions * (value - low)) / (high - low),
    from: (u) => (whole ? low + u : tidy(low + (u / positions) * (high - low))),
  };
}

/** An axis whose last position is off. */
function offAxis(axis) {
  return {
    positions: POSITIONS + 1,
    to: (value) => (value === null ? POSITIONS + 1 : clamp(axis.to(value), 0, POSITIONS)),
    from: (u) => (u > POSITIONS ? null : axis.from(u)),
  };
}

/** Three digits of the value, or of its distance from 1 where that is small. */
function tidy(value) {
  if (value > 0.9 && value < 1) return Number((1 - Number((1 - value).toPrecision(2))).toPrecision(8));
  return Number(value.toPrecision(3));
}

/** Makes the pair; `get` reads the value, `set` takes a checked one. */
function sliderPair({ hyper, label, testid, get, set, axis = axisFor(hyper) }) {
  const title = [label, hyper.range].filter(Boolean).join(" ");
  const range = htmlElement("input", { type: "range", min: 0, max: axis.positions ?? POSITIONS, step: 1, "aria-label": label, title, "data-testid": testid });
  const number = htmlElement("input", { type: "text", inputmode: "decimal", size: 7, "aria-label": label, title, "data-testid": `${testid}-number` });
  const off = (value) => hyper.off && value === null;
  const show = () => {
    const value = get();
    range.value = axis.to(value);
    range.setAttribute("aria-valuetext", off(value) ? T("off") : shown(value, 6));
    if (document.activeElement !== number) number.value = off(value) ? T("off") : String(value);
  };
  range.addEventListener("input", () => {
    const value = axis.from(Number(range.value));
    if (off(value) || admits(hyper, value)) set(value);
  });
  number.addEventListener("change", () => {
    const text = number.value.trim();
    const value = hyper.off && ["", T("off")].includes(text) ? null : Number(text);
    const good = off(value) || (text !== "" && admits(hyper, value));
    number.setAttribute("aria-invalid", String(!good));
    if (good) set(value);
  });
  number.addEventListener("blur", () => {
    number.setAttribute("aria-invalid", "false");
    show();
  });
  return { range, number, show };
}
