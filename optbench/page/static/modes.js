// A quadratic seen along its eigenvectors: how far an optimizer is from the minimizer in each.

const MODE_COLORS = {
  light: ["#440154", "#3E4A89", "#26828E", "#35A060", "#A3B819"],
  dark: ["#9A86E8", "#5C9CE0", "#35B9AC", "#7ED46A", "#F5E34B"],
};
const DECADES = 16; // of coefficients that are shown
const LEAST_SIZE = 1e-29; // what is less is 0

function addModes(host, problems, facts) {
  const state = { problem: problems[0].problem, lane: 0 };
  const now = () => problems.find(({ problem }) => problem === state.problem);
  const problem = picker("Problem", (value) => choose({ problem: Number(value) }));
  let lane = null;
  addFigure(host, {
    id: "modes",
    title: "Distance from the minimizer, mode by mode",
    read:
      "a quadratic falls apart into its eigenvectors, the modes; each line is the distance from " +
      "the minimizer along one of them, colored by its eigenvalue (curvature). Dashed on top is " +
      "what theory says, where it is known; the dotted gray line is what rounding can leave.",
    depends: ["problem", "optimizers"],
    controls: (bar, again) => {
      lane = picker("Optimizer", (value) => {
        state.lane = Number(value);
        again();
      });
      bar.append(problem.label, lane.label);
    },
    draw: () => {
      if (problems.some((one) => one.problem === selection.problem)) {
        state.problem = selection.problem;
      }
      problem.fill(
        problems.map((one) => [one.problem, facts.problems[one.problem].label]),
        state.problem,
      );
      const shown = shownModeLanes(now(), facts);
      if (!shown.some(([index]) => index === state.lane)) state.lane = shown.length ? shown[0][0] : -1;
      lane.fill(shown, state.lane);
      if (!shown.length) return { empty: "No optimizer that is shown has recorded modes here." };
      return drawModes(now(), now().lanes[state.lane], facts);
    },
    table: () => modeTable(now(), now().lanes[state.lane], facts),
    command: null,
  });
}

function shownModeLanes({ lanes }, facts) {
  return lanes.flatMap((lane, index) => {
    if (!selection.optimizers.includes(lane.optimizer)) return [];
    const name = facts.optimizers[lane.optimizer].label;
    return [[index, lane.isDefault ? `${name} at its published default` : name]];
  });
}

function drawModes(view, lane, facts) {
  const steps = Array.from(lane.steps, (step) => step + 1);
  const shades = view.curvatures.map((_, mode) => shadeOf(view.curvatures, mode));
  const largest = lane.measured.reduce((a, b) => (Number.isFinite(b) ? Math.max(a, b) : a), 0);
  const column = (array, mode) => Array.from(steps, (_, row) => at(array, row, mode) || null);
  const line = (values, look, more) => ({
    mode: "lines",
    x: steps,
    y: values,
    line: { width: 2, ...look },
    ...more,
  });
  const measured = shades.map((color, mode) =>
    line(column(lane.measured, mode), { color }, modeHover(view, lane, mode)),
  );
  const theory = lane.theory
    ? shades.map((_, mode) => {
        const look = { color: ink("ink"), width: 1.2, dash: "4px,4px" };
        return line(column(lane.theory, mode), look, { hoverinfo: "skip" });
      })
    : [];
  const left = Array.from(lane.rounding, (value) => (value > LEAST_SIZE ? value : null));
  const gray = { color: ink("muted"), width: 1, dash: "dot" };
  const rounding = line(left, gray, { hoverinfo: "skip" });
  const top = Math.log10(largest || 1) + 0.3;
  const least = Math.log10(Math.min(...left.filter((value) => value !== null), largest || 1));
  const layout = layoutOf({
    xaxis: { type: "log", dtick: 1, title: "step + 1" },
    yaxis: {
      type: "log",
      dtick: 2,
      title: "distance along the mode",
      range: [Math.max(least - 1, top - DECADES), top],
    },
  });
  const who = facts.optimizers[lane.optimizer].label;
  return {
    traces: [rounding, ...measured, ...theory, modeScale(view)],
    layout,
    height: 460,
    alt:
      `Distance from the minimizer along ${view.curvatures.length} of ${view.dim} eigenvectors of ` +
      `${facts.problems[view.problem].label} under ${who}${lane.theory ? ", with theory" : ""}.`,
  };
}

// The color of a mode: by the logarithm of its eigenvalue, or by rank where there is none.
function shadeOf(curvatures, mode) {
  const [low, high] = ends(curvatures);
  const share =
    low > 0 && high > low
      ? Math.log(curvatures[mode] / low) / Math.log(high / low)
      : mode / Math.max(1, curvatures.length - 1);
  const colors = tone(MODE_COLORS);
  const place = share * (colors.length - 1);
  const first = Math.min(Math.floor(place), colors.length - 2);
  return mixed(colors[first], colors[first + 1], place - first);
}

function mixed(from, to, share) {
  const parts = (color) => [1, 3, 5].map((start) => parseInt(color.slice(start, start + 2), 16));
  const [a, b] = [parts(from), parts(to)];
  return `rgb(${a.map((value, index) => Math.round(value + share * (b[index] - value))).join(",")})`;
}

// No point, but the color scale of the eigenvalues.
function modeScale({ curvatures }) {
  const [low, high] = ends(curvatures);
  const isLog = low > 0 && high > low;
  const [from, to] = isLog ? [Math.log10(low), Math.log10(high)] : [low, high];
  const ticks = range(5).map((index) => from + (index / 4) * (to - from));
  const colors = tone(MODE_COLORS);
  return {
    mode: "markers",
    x: [null],
    y: [null],
    marker: {
      color: [from],
      cmin: from,
      cmax: to > from ? to : from + 1,
      colorscale: colors.map((color, index) => [index / (colors.length - 1), color]),
      showscale: true,
      colorbar: {
        thickness: 13,
        outlinewidth: 0,
        title: scaleTitle("eigenvalue"),
        tickvals: ticks,
        ticktext: ticks.map((tick) => number(isLog ? 10 ** tick : tick)),
      },
    },
  };
}

function modeHover(view, lane, mode) {
  const setting = Object.entries(lane.setting)
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${number(value)}`)
    .join(", ");
  const texts = Array.from(lane.steps, (step, row) => {
    const lines = [
      `<b>eigenvalue ${number(view.curvatures[mode])}</b> (${view.places[mode] + 1} of ${view.dim})`,
      wrapped(setting, 52),
      `step ${step}: ${number(at(lane.measured, row, mode))}`,
      `× ${lane.factors[mode].toPrecision(4)} a step on average, down to rounding`,
    ];
    if (lane.theory) lines.splice(3, 0, `theory: ${number(at(lane.theory, row, mode))}`);
    return lines.filter(Boolean).join("<br>");
  });
  return { hoverinfo: "text", hovertext: texts };
}

function modeTable(view, lane, facts) {
  const columns = ["optimizer", "eigenvalue", "step", "measured", "theory", "mean_factor"];
  const name = facts.optimizers[lane.optimizer].label;
  const rows = view.curvatures.flatMap((curvature, mode) =>
    Array.from(lane.steps, (step, row) => [
      name,
      curvature,
      step,
      at(lane.measured, row, mode),
      lane.theory && at(lane.theory, row, mode),
      lane.factors[mode],
    ]),
  );
  return { columns, rows };
}
