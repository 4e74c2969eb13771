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

/**
 * The step of a runner over all coordinates: (coordinates, gradient, k) -> new coordinates.
 * Norms and the agreement of the cautious mask are taken over the coordinates, which are one tensor. Named lines are
 * pushed to `traces`, one array per coordinate.
 */
function stepperOf(runner, factor) {
  const { step } = formOf(runner);
  const { prepared, coefficient, enlargement } = LAB.around;
  const hyper = hyperOf(runner);
  const clip_value = runner.clip_value ?? Infinity;
  return (now, gradient, k, traces) => {
    const norm = runner.clip_norm === null ? 0 : Math.hypot(...gradient.map((g) => prepared(g, clip_value).g));
    const shared = {
      ...hyper,
      lr: hyper.lr * factor(k),
      t: runner.correct ? k + 1 : NEVER_CORRECTED,
      clip_value,
      coefficient: coefficient(runner.clip_norm, norm),
    };
    const pass = ($cautious, keep_scale, lines) =>
      now.map((coordinate, i) => step({ ...shared, ...coordinate, g: gradient[i], $cautious, keep_scale }, lines?.[i]));
    if (!runner.cautious) return pass(false, 1, traces);
    const kept = pass(true, 1).reduce((sum, { agreement }) => sum + agreement, 0);
    return pass(true, enlargement(now.length, kept), traces).map(({ agreement, ...coordinate }) => coordinate);
  };
}

/** Walks a problem with a runner: yields the gradient, the new coordinates and the new value after every step. */
function* walk(runner, problem, factor) {
  const advance = stepperOf(runner, factor);
  let now = freshCoordinates(runner, problem.start);
  for (let k = 0; k < problem.steps; k += 1) {
    const gradient = problem.gradient(now.map((c) => c.p), k);
    now = advance(now, gradient, k);
    if (problem.walls) now = now.map((c, i) => ({ ...c, p: clamp(c.p, ...problem.walls[i]) }));
    yield { gradient, now, value: problem.value(now.map((c) => c.p)) };
  }
}

const lost = (now, value) => !Number.isFinite(value) || now.some((c) => Math.abs(c.p) > FAR);

/** A whole run. `coordinates[k]` is the state after k steps; `broke` the step at which it left for infinity. */
function simulate(runner, problem, factor) {
  const start = freshCoordinates(runner, problem.start);
  const run = { runner, coordinates: [start], values: [problem.value(problem.start)], gradients: [], broke: null };
  for (const { gradient, now, value } of walk(runner, problem, factor)) {
    if (lost(now, value)) {
      run.broke = run.coordinates.length;
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
  let count = 0;
  for (const { now, value } of walk(runner, problem, factor)) {
    count += 1;
    if (value <= target) return count;
    if (lost(now, value)) return null;
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
  const [before, traces] = [run.coordinates[k], run.coordinates[k].map(() => [])];
  const after = stepperOf(run.runner, factor)(before, run.gradients[k], k, traces);
  return before.map((one, i) => ({ before: one, after: after[i], g: run.gradients[k][i], lines: traces[i] }));
}

const lastLine = (lines, name) => lines.findLast(([title]) => title === name)?.[1];
