// Runs optimizers in float64 with the printed rules.

const FAR = 1e12; // beyond it a run counts as diverged
const NEVER_CORRECTED = 1e15; // a step count at which beta ** t is 0: bias corrections become 1

/** The factor on the learning rate at a step (0 is the first). */
function scheduleFactor(schedule, steps) {
  const length = Math.max(1, steps - schedule.warmup);
  const settings = {
    constant: { value: 1 },
    linear: { start: 1, end: schedule.end, steps: length },
    cosine: { start: 1, end: schedule.end, steps: length },
    exponential: { start: 1, rate: schedule.rate, every: 1, staircase: false, end: schedule.end > 0 ? schedule.end : null },
    inverse_time: { start: 1, rate: 1 - schedule.rate, every: 1, staircase: false },
    piecewise: {
      pieces: [1, schedule.rate, schedule.rate ** 2],
      boundaries: [Math.round(length / 3), Math.round((2 * length) / 3)],
    },
  }[schedule.kind];
  const main = (step) => LAB.schedules[schedule.kind](settings, step);
  if (schedule.warmup === 0) return main;
  const whole = { schedule: main, steps: schedule.warmup, start: 0, skip_start: true };
  return (step) => LAB.schedules.warmup(whole, step);
}

/** Noise that is added to gradients: one pair for each step, the same for all optimizers. */
function noiseTable(state) {
  const normal = normalSource(state.seed);
  return Array.from({ length: state.steps }, (_, k) => {
    if (state.noise === "gaussian") return [state.noiseSize * normal(), state.noiseSize * normal()];
    // every third gradient is large and the two others point the other way: the mean stays what it was
    if (state.noise === "rare") return [(k % 3 === 0 ? 2 : -1) * state.noiseSize, 0];
    return [0, 0];
  });
}

/** What is minimised: start, value, gradient at a step, and the walls that parameters cannot leave. */
function surfaceProblem(state) {
  const landscape = landscapeOf(state);
  const noise = noiseTable(state);
  return {
    start: state.start,
    steps: state.steps,
    value: landscape.value,
    gradient: (z, k) => landscape.gradient(z).map((g, i) => g + noise[k][i]),
    walls: landscape.walled ? landscape.window : null,
  };
}

/** The optimizer of a runner at its start: one state per coordinate. */
function freshCoordinates(runner, start) {
  const hyper = hyperOf(runner);
  return start.map((p) => {
    const coordinate = { p };
    for (const slot of formOf(runner).slots) {
      coordinate[slot.name] = typeof slot.start === "string" ? hyper[slot.start] : slot.start;
    }
    return coordinate;
  });
}

/** What the printed step takes for one coordinate. */
function stepInput(runner, hyper, factor, coordinate, g, k) {
  const t = runner.correct ? k + 1 : NEVER_CORRECTED;
  return { ...hyper, ...coordinate, lr: hyper.lr * factor(k), g, t };
}

/** A whole run. `coordinates[k]` is the state after k steps; `broke` the step at which it left for infinity. */
function simulate(runner, problem, factor) {
  const { step } = formOf(runner);
  const hyper = hyperOf(runner);
  let now = freshCoordinates(runner, problem.start);
  const run = { runner, coordinates: [now], values: [problem.value(problem.start)], gradients: [], broke: null };
  for (let k = 0; k < problem.steps; k += 1) {
    const gradient = problem.gradient(now.map((c) => c.p), k);
    now = now.map((c, i) => {
      const next = step(stepInput(runner, hyper, factor, c, gradient[i], k));
      if (problem.walls) next.p = clamp(next.p, ...problem.walls[i]);
      return next;
    });
    const value = problem.value(now.map((c) => c.p));
    if (!Number.isFinite(value) || now.some((c) => Math.abs(c.p) > FAR)) {
      run.broke = k + 1;
      break;
    }
    run.gradients.push(gradient);
    run.coordinates.push(now);
    run.values.push(value);
  }
  return run;
}

/** The first step after which the value is at or below the target, or null. */
function stepsToTarget(runner, problem, factor, target) {
  const { step } = formOf(runner);
  const hyper = hyperOf(runner);
  let now = freshCoordinates(runner, problem.start);
  for (let k = 0; k < problem.steps; k += 1) {
    const gradient = problem.gradient(now.map((c) => c.p), k);
    now = now.map((c, i) => {
      const next = step(stepInput(runner, hyper, factor, c, gradient[i], k));
      if (problem.walls) next.p = clamp(next.p, ...problem.walls[i]);
      return next;
    });
    const value = problem.value(now.map((c) => c.p));
    if (value <= target) return k + 1;
    if (!Number.isFinite(value)) return null;
  }
  return null;
}

const pointAt = (run, k) => run.coordinates[Math.min(k, run.coordinates.length - 1)].map((c) => c.p);
const valueAt = (run, k) => run.values[Math.min(k, run.values.length - 1)];

/** Names on the page: an optimizer that races twice gets a number. */
function labels(runners) {
  const names = runners.map((r) => r.member);
  return names.map((name, i) =>
    names.filter((n) => n === name).length > 1 ? `${name} ${names.slice(0, i + 1).filter((n) => n === name).length}` : name,
  );
}

/** Every named line of the rule at step k (0 is the first), for each coordinate. */
function traceStep(run, factor, k) {
  const { step } = formOf(run.runner);
  const hyper = hyperOf(run.runner);
  return run.coordinates[k].map((before, i) => {
    const lines = [];
    const g = run.gradients[k][i];
    const after = step(stepInput(run.runner, hyper, factor, before, g, k), lines);
    return { before, after, g, lines };
  });
}

const lastLine = (lines, name) => lines.findLast(([title]) => title === name)?.[1];
