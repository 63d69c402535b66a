// Convergence on one problem: curves with the range of starts, fitted rates, theory, a table.

const CURVE_AXES = {
  cost: "cost (gradient-equivalents)",
  steps: "iterations",
  seconds: "run time (seconds)",
};
const CURVE_MERITS = {
  suboptimality: "f(x) − f*",
  "gradient norm": "|∇f(x)|",
  escape: "(f(x) − f_saddle) / |f(x₀) − f_saddle|",
};
const CURVE_QUANTITIES = { "gradient norm": "|∇f(x)|", distance: "|x − x*|" };
const CURVE_ABOVE_START = 30; // an axis ends at this multiple of the start
const CURVE_BEYOND = 1e6; // a curve that is lost leaves the picture up to this multiple of its top
const CURVE_NAME_WIDTH = 44; // characters of a line of a tooltip
const CURVE_MARKERS = 7;

SECTIONS.push([
  "convergence",
  "Convergence",
  (host, data, facts) => {
    const view = {
      quantity: "merit",
      axis: "cost",
      setting: "tuned",
      across: "log",
      up: "log",
      range: true,
      lines: true,
    };
    const table = element("div", { class: "scroll", tabindex: "0" });
    const study = { data, facts, view };
    addOverview(host, study);
    addFigure(host, {
      id: "convergence",
      title: "Convergence on one problem",
      read:
        "lower and further left is better; lines are medians over the starts, bands reach from " +
        "the best start to the worst. Dashed: the fitted rate along the median start. Dotted: the " +
        "slope that theory tells, from the same point; its level means nothing. A curve that " +
        "leaves through the top has lost half of its starts or more.",
      depends: ["problem", "optimizers"],
      legend: shownOptimizers(facts),
      controls: (bar, redraw) => curveControls(bar, redraw, study),
      draw: () => {
        table.replaceChildren(curveTable(study));
        return curveDrawing(study);
      },
      table: () => curveNumbers(study),
      command: () => curveCommand(study),
    });
    host.append(table);
  },
]);

function curveControls(bar, redraw, { data, facts, view }) {
  const set = (key) => (value) => {
    view[key] = value;
    redraw();
  };
  const scales = [
    ["log", "logarithmic"],
    ["linear", "linear"],
  ];
  const quantity = menu("quantity", [], view.quantity, set("quantity"));
  const axes = menu("against", [], view.axis, set("axis"));
  const settings = menu("setting", [], view.setting, set("setting"));
  const refill = () => {
    view.quantity = filled(quantity, curveQuantities(data, facts), view.quantity);
    view.axis = filled(axes, curveAxes(data), view.axis);
    view.setting = filled(settings, curveSettings(data), view.setting);
  };
  refill();
  onChoice((changed) => changed.has("problem") && refill());
  bar.append(
    problemMenu(facts),
    quantity,
    axes,
    settings,
    menu("horizontal", scales, view.across, set("across")),
    menu("vertical", scales, view.up, set("up")),
    toggle("range of starts", view.range, set("range")),
    toggle("rates and theory", view.lines, set("lines")),
  );
}

function curveQuantities(data, facts) {
  const { merit } = facts.problems[selection.problem];
  const known = data.problems[selection.problem].tuned.flatMap((line) =>
    Object.keys(line.curves || {}),
  );
  const more = Object.entries(CURVE_QUANTITIES).filter(([name]) => known.includes(name));
  return [["merit", CURVE_MERITS[merit] || "merit"], ...more];
}

function curveAxes(data) {
  const { tuned } = data.problems[selection.problem];
  const isTimed = tuned.some((line) => curveNumber(data, line, "seconds_per_step") > 0);
  return Object.entries(CURVE_AXES).filter(([name]) => name !== "seconds" || isTimed);
}

function curveSettings(data) {
  const tuned = [["tuned", "tuned"]];
  const { defaults } = data.problems[selection.problem];
  return defaults ? [...tuned, ["defaults", "published defaults"]] : tuned;
}

// A number of a line; NaN where it is not known.
const curveNumber = (data, line, name) =>
  line.numbers ? line.numbers[data.numbers.indexOf(name)] : NaN;

// What an optimizer did at the chosen setting; one that tunes itself has no other.
function curveLine(data, index, { setting }) {
  const problem = data.problems[selection.problem];
  const tuned = problem.tuned[index];
  if (setting === "tuned" || tuned.why || tuned.track === "S") return tuned;
  return problem.defaults[index] || { why: "no defaults were published" };
}

// One curve over the chosen axis: { x, median, low, high, exact }, or null where it is not known.
function curveOf(data, index, view) {
  const line = curveLine(data, index, view);
  const found = line.curves && line.curves[view.quantity];
  if (!found) return null;
  const own = view.axis === "cost" && found.cost;
  const rows = own || found.steps;
  const place = curvePlace(data, line, view.axis);
  if (!place) return null;
  const last = rows.shape[0] - 1;
  const [median, low, high] = [1, Math.min(2, last), last].map((row) => at(rows, row));
  return {
    x: Array.from(at(rows, 0), own ? (value) => value : place),
    median,
    low,
    high,
    isRange: low.some((value, k) => value !== high[k]),
  };
}

// Step -> place on an axis; null where that is not known.
function curvePlace(data, line, axisName) {
  const { cost } = line;
  const seconds = curveNumber(data, line, "seconds_per_step");
  if (axisName === "steps") return (step) => step;
  if (axisName === "cost") return cost ? (step) => cost[0] + cost[1] * step : (step) => step;
  return seconds > 0 ? (step) => step * seconds : null;
}

function curveDrawing({ data, facts, view }) {
  const problem = data.problems[selection.problem];
  const { merit, label } = facts.problems[selection.problem];
  const isEscape = view.quantity === "merit" && merit === "escape";
  const up = isEscape ? "linear" : view.up;
  const curves = selection.optimizers
    .map((index) => ({ index, curve: curveOf(data, index, view) }))
    .filter(({ curve }) => curve !== null);
  const notes = curveNotes(data, facts, view, isEscape);
  if (!curves.length) {
    return { empty: "No optimizer that is shown has run here.", note: notes.join(" ") };
  }
  const limits = curveLimits(problem, curves, view, up);
  const scales = { across: view.across, up, limits };
  const traces = curves.flatMap(({ index, curve }) =>
    curveTraces(data, facts, { index, curve, view, scales, notes }),
  );
  const [quantity] = curveQuantities(data, facts).filter(([name]) => name === view.quantity);
  return {
    traces,
    layout: curveLayout({ problem, view, scales, isEscape, quantity: quantity[1] }),
    height: 480,
    note: notes.join(" "),
    alt:
      `${quantity[1]} against ${CURVE_AXES[view.axis]} of ${curves.length} optimizers on ${label}. ` +
      "The numbers are in the table below.",
  };
}

// Both ends of the vertical axis: on paper's limits for the merit, else around what is drawn.
function curveLimits(problem, curves, view, up) {
  const starts = curves.map(({ curve }) => curve.median[0]).filter(Number.isFinite);
  const top = Math.max(...starts, 0) || 1;
  if (view.quantity === "merit" && problem.limits[0] < 0) return problem.limits;
  if (up === "linear") return [0, 1.1 * top];
  const values = curves.flatMap(({ curve }) => Array.from(curve.median));
  const lowest = Math.min(...values.filter((value) => value > 0), top);
  const [low, high] = view.quantity === "merit" ? problem.limits : [lowest / 3, top * CURVE_ABOVE_START];
  return [Math.min(Math.max(low, lowest / 10), top / 10), high];
}

function curveTraces(data, facts, { index, curve, view, scales, notes }) {
  const look = lookOf(facts.optimizers[index]);
  const { label } = facts.optimizers[index];
  const { x, y, left } = curvePoints(curve.x, curve.median, scales);
  if (left) notes.push(`${label}: ${left} points that this axis cannot show are left out.`);
  const line = curveLine(data, index, view);
  const head = curveHead(line, label);
  const traces = [
    {
      x,
      y,
      name: plain(label),
      mode: "lines+markers",
      line: look.line,
      marker: { ...look.marker, maxdisplayed: CURVE_MARKERS },
      hoverinfo: "text",
      text: x.map((place, k) => head + curvePoint(curve, view, k)),
      meta: { optimizer: index, part: "median" },
    },
  ];
  if (view.range && curve.isRange) {
    traces.unshift(curveBand(curve, look, scales, index));
  }
  if (view.lines && view.quantity === "merit") {
    traces.push(...curveRates(data, line, { index, view, scales, look, head }));
  }
  return traces;
}

// What an axis can draw: positive places on a logarithm, losses above the top; the rest is left out.
function curvePoints(places, values, { across, up, limits }) {
  const above = up === "log" ? limits[1] * CURVE_BEYOND : limits[1] + 10 * (limits[1] - limits[0]);
  let left = 0;
  const y = Array.from(values, (value, k) => {
    if (value === Infinity) return above;
    const isShown = Number.isFinite(value) && (up !== "log" || value > 0);
    const isStart = across === "log" && !(places[k] > 0);
    if (!isShown && !isStart) left += 1;
    return isShown && !isStart ? Math.min(value, above) : null;
  });
  const x = Array.from(places, (place) => (across === "log" && !(place > 0) ? null : place));
  return { x, y, left };
}

function curveBand(curve, look, scales, index) {
  const bottom = scales.up === "log" ? scales.limits[0] / CURVE_BEYOND : -Infinity;
  const edge = (values) =>
    curvePoints(curve.x, Array.from(values, (value) => Math.max(value, bottom)), scales);
  const [low, high] = [edge(curve.low), edge(curve.high)];
  const kept = range(low.x.length).filter((k) => low.x[k] !== null && low.y[k] !== null);
  const back = kept.toReversed();
  return {
    x: [...kept.map((k) => low.x[k]), ...back.map((k) => high.x[k])],
    y: [...kept.map((k) => low.y[k]), ...back.map((k) => high.y[k])],
    mode: "lines",
    line: { width: 0 },
    fill: "toself",
    fillcolor: translucent(look.line.color, 0.16),
    hoverinfo: "skip",
    meta: { optimizer: index, part: "band" },
  };
}

// The lines of the fitted rate and of theory.
function curveRates(data, line, { index, view, scales, look, head }) {
  const place = curvePlace(data, line, view.axis);
  const parts = [
    ["fit", line.fit, { color: ink("ink"), dash: "6px,4px", width: 1.8 }],
    ["theory", line.theory_line, { color: look.line.color, dash: "2px,3px", width: 2.4 }],
  ];
  return parts
    .filter(([, rows]) => rows)
    .map(([part, rows, style]) => {
      const places = view.axis === "cost" ? at(rows, 1) : Array.from(at(rows, 0), place);
      const { x, y } = curvePoints(places, at(rows, 2), scales);
      return {
        x,
        y,
        mode: "lines",
        line: style,
        hoverinfo: "text",
        text: `${head}<br><i>${part === "fit" ? "fitted rate" : "theory"}</i>`,
        meta: { optimizer: index, part },
      };
    });
}

// The head of a tooltip: who, at which setting, at what rate, what theory tells.
function curveHead(line, label) {
  const name = wrapped(label, CURVE_NAME_WIDTH);
  const setting = [line.setting, line.track].filter(Boolean).join(" @");
  const lines = [`<b>${name}</b>`, wrapped(setting, CURVE_NAME_WIDTH), plain(curveRateText(line))];
  return lines.concat(line.lost ? plain(line.lost) : []).join("<br>");
}

function curveRateText(line) {
  const theory = line.theory === null ? "theory unknown" : `theory ${line.theory}`;
  if (!line.rate) return `no rate; ${theory}`;
  const { regime, rate, interval, steps } = line.rate;
  return `${regime}: ${rate} [${interval}], steps ${steps}; ${theory}`;
}

function curvePoint(curve, view, k) {
  const spread = curve.isRange ? ` (${number(curve.low[k])} to ${number(curve.high[k])})` : "";
  return (
    `<br>${CURVE_AXES[view.axis]}: ${number(curve.x[k])}` +
    `<br>value: ${number(curve.median[k])}${spread}`
  );
}

function curveLayout({ problem, view, scales, isEscape, quantity }) {
  const { across, up, limits } = scales;
  const span = up === "log" ? limits.map(Math.log10) : limits;
  const [floor, shapes, annotations] = [problem.noise_floor, [], []];
  const isFloorShown = view.quantity === "merit" && up === "log" && floor > limits[0];
  const wide = { type: "rect", xref: "paper", x0: 0, x1: 1, layer: "below" };
  if (isFloorShown) {
    const box = { y0: limits[0] / CURVE_BEYOND, y1: floor, fillcolor: ink("bad") };
    shapes.push({ ...wide, ...box, line: { width: 0 } });
    annotations.push({
      text: "noise floor",
      xref: "paper",
      x: 0.01,
      xanchor: "left",
      y: Math.log10(floor),
      yanchor: "top",
      showarrow: false,
      font: { size: 12, color: ink("muted") },
    });
  }
  for (const height of isEscape ? [0, -1] : []) {
    const style = { color: ink("ink"), width: 1, dash: height ? "dot" : "solid" };
    shapes.push({ ...wide, type: "line", y0: height, y1: height, line: style });
  }
  const y = { title: plain(quantity), range: span };
  return layoutOf({
    xaxis: (across === "log" ? logAxis : axis)({ title: CURVE_AXES[view.axis] }),
    yaxis: (up === "log" ? logAxis : axis)(y),
    shapes,
    annotations,
  });
}
