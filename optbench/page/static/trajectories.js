// Paths over contours with a player, and the loss curve of the same paths beside them.

const WIDE = 760; // pixels: from there on the loss curve is beside the map
const ABOVE_START = 10; // times the first merit: what rises higher leaves the picture
const LEAST_MERIT = 1e-16; // of the first one: what is less is 0 to rounding

SECTIONS.push([
  "trajectories",
  "Trajectories",
  (host, data, facts) => {
    if (data.views.length) addTrajectories(host, data.views, facts);
    if (data.modes.length) addModes(host, data.modes, facts);
  },
]);

function addTrajectories(host, views, facts) {
  const tuning = { mode: "tuned", position: null, start: 0, fit: false };
  const viewNow = () => views.find((view) => view.problem === selection.problem);
  const labelNow = () => facts.problems[selection.problem].label;
  const readout = pathReadout(facts);
  let paths = [];
  let figure = null;
  const show = (cost) => {
    scrub(figure.plot, paths, cost);
    readout.show(paths, cost);
  };
  const player = makePlayer({ costs: () => costsOf(paths), show, rest: () => redraw(figure) });
  let controls = null;
  figure = addFigure(host, {
    id: "trajectories",
    title: "Paths over contours",
    read:
      "each line is one optimizer's path from the white circle, its marker where it is once it " +
      "has spent the cost that the slider shows; dots are recorded points. The star is the " +
      "minimizer, crosses are saddles. The loss along the same paths has a vertical line at that " +
      "cost; what lies on its lower edge is 0 to rounding.",
    depends: ["problem", "optimizers"],
    legend: shownOptimizers(facts),
    controls: (bar, again) => {
      controls = trajectoryControls(bar, { tuning, views, facts, again });
      bar.after(player.bar);
    },
    draw: () => {
      const view = viewNow();
      controls.refresh(view);
      paths = view ? chosenPaths(view, tuning) : [];
      player.bar.hidden = !paths.length;
      readout.refresh(view, paths);
      if (!view) return { empty: `No points were recorded on ${labelNow()}.` };
      if (!paths.length) return { empty: "No optimizer that is shown has a recorded path here." };
      player.refresh();
      readout.show(paths, player.cost());
      const drawn = { view, paths, facts, tuning, label: labelNow() };
      return drawPaths(drawn, player, figure.plot.clientWidth);
    },
    drawn: (plot) => {
      const apply = () => player.moving() && scrub(plot, paths, player.cost());
      plot.removeAllListeners("plotly_afterplot");
      plot.on("plotly_afterplot", apply);
      apply();
    },
    table: () => pathTable(viewNow(), paths, facts),
    command: () => pathCommand(facts, labelNow()),
  });
  figure.plot.after(readout.box);
  let width = 0;
  new ResizeObserver(([{ contentRect }]) => {
    if (width && contentRect.width !== width) redraw(figure);
    width = contentRect.width;
  }).observe(host);
  choose({ problem: (views.find((view) => !view.plane) || views[0]).problem });
  window.optbench.trajectories = { state: () => headsNow(viewNow(), paths, player, tuning) };
}

// Where the paths are, for tests.
function headsNow(view, paths, player, tuning) {
  const cost = player.cost();
  const heads = paths.map((path) => {
    const index = reached(path, cost) - 1;
    const at = (values) => (index < 0 ? null : values[index]);
    return {
      optimizer: path.optimizer,
      setting: path.setting,
      x: at(path.x),
      y: at(path.y),
      step: at(path.steps),
      cost: at(path.costs),
      merit: at(path.merits),
    };
  });
  return { problem: selection.problem, seed: view?.seeds[tuning.start], cost, heads };
}

const MARGINS = { across: 88, up: 70 }; // pixels, as in layoutOf
const TALL = [280, 440]; // the map
const CURVE = 230; // the loss curve, where it is below
const GAP = 100;

// Parts of a plot of some width: map and loss curve beside each other, or below. One unit of the
// map is as long across as up, where they compare.
function placesOf(width, slope) {
  const isWide = width >= WIDE;
  const [left, right] = [0, isWide ? 0.47 : 0.8];
  const across = (right - left) * (width - MARGINS.across);
  const tall = Math.min(Math.max(across * slope, isWide ? TALL[0] : 0), TALL[1]);
  const inside = isWide ? tall : tall + GAP + CURVE;
  const used = Math.min(1, tall / (across * slope)); // of the width
  const map = {
    across: [right - used * (right - left), right],
    up: [1 - Math.min(tall, across * slope) / inside, 1],
  };
  const curve = isWide
    ? { across: [0.67, 1], up: [0, 1] }
    : { across: [0, 1], up: [0, CURVE / inside] };
  return { map, curve, scale: right + 0.005, height: inside + MARGINS.up };
}

function drawPaths(drawn, player, width) {
  const { view, paths, facts, tuning, label } = drawn;
  const ranges = mapRanges(view, paths, tuning.fit);
  const place = placesOf(width, slopeOf(view, ranges));
  const cost = player.cost();
  const counts = paths.map((path) => (player.moving() ? path.costs.length : reached(path, cost)));
  const floor = floorOf(view, paths);
  for (const path of paths) path.heights = path.merits.map((merit) => Math.max(merit, floor));
  const texts = paths.map((path) => hoverTexts(view, path, facts));
  const heads = { counts, texts, facts };
  const curve = { keys: ["costs", "heights"], axes: { xaxis: "x2", yaxis: "y2" } };
  const traces = [
    ...contourTraces(view, { x: place.scale, up: place.map.up }),
    ...pointTraces(view),
    ...paths.map((path, row) => pathTrace(path, row, { count: counts[row], texts, facts })),
    startTrace(paths),
    headTrace("heads", paths, { ...heads, keys: ["x", "y"], axes: {} }),
    ...paths.map((path, row) => curveTrace(path, row, { texts, facts })),
    headTrace("curve-heads", paths, { ...heads, ...curve }),
  ];
  const layout = {
    ...layoutOf({
      shapes: [cursorLine(cost)],
      uirevision: `${view.problem} ${tuning.fit}`,
    }),
    ...mapAxes(view, ranges, place.map),
    ...linkedAxes(view, paths, place.curve),
  };
  return { traces, layout, height: place.height, alt: altOf(label, paths, facts, cost) };
}

function pathTrace(path, row, { count, texts, facts }) {
  const { line, marker } = lookOf(facts.optimizers[path.optimizer]);
  return {
    uid: `path-${row}`,
    mode: "lines+markers",
    x: path.x.slice(0, count),
    y: path.y.slice(0, count),
    hoverinfo: "text",
    hovertext: texts[row],
    line: { ...line, width: 2 },
    marker: { color: marker.color, size: 4.5 },
  };
}

function startTrace(paths) {
  const starts = [...new Set(paths.map(({ x, y }) => JSON.stringify([x[0], y[0]])))].map(JSON.parse);
  return {
    mode: "markers",
    x: starts.map(([x]) => x),
    y: starts.map(([, y]) => y),
    hoverinfo: "skip",
    marker: { symbol: "circle", size: 10, color: "#FFFFFF", line: { color: "#000000", width: 2 } },
  };
}

function headTrace(uid, paths, { counts, texts, facts, keys, axes }) {
  const looks = paths.map((path) => lookOf(facts.optimizers[path.optimizer]).marker);
  const last = (values) => paths.map((path, row) => values(path, row)[counts[row] - 1] ?? null);
  return {
    uid,
    ...axes,
    mode: "markers",
    x: last((path) => path[keys[0]]),
    y: last((path) => path[keys[1]]),
    hoverinfo: "text",
    hovertext: last((_, row) => texts[row]),
    cliponaxis: uid === "heads",
    marker: {
      color: looks.map((look) => look.color),
      symbol: looks.map((look) => look.symbol),
      size: 12,
      line: { color: ink("paper"), width: 1.5 },
    },
  };
}

function curveTrace(path, row, { texts, facts }) {
  return {
    uid: `curve-${row}`,
    xaxis: "x2",
    yaxis: "y2",
    mode: "lines",
    x: path.costs,
    y: path.heights,
    hoverinfo: "text",
    hovertext: texts[row],
    line: lookOf(facts.optimizers[path.optimizer]).line,
  };
}

// Merits below it are drawn at it: they are 0 to rounding, for which a logarithm has no place.
const floorOf = (view, paths) =>
  view.merit === "escape" ? -Infinity : LEAST_MERIT * firstMerit(paths);
const firstMerit = (paths) => Math.max(...paths.map((path) => Math.abs(path.merits[0])));

function linkedAxes(view, paths, { across, up }) {
  const x = { domain: across, anchor: "y2", title: "cost (gradient-equivalents)" };
  const y = { domain: up, anchor: "x2", title: MERITS[view.merit] };
  const costs = costsOf(paths);
  const [low, high] = [Math.log10(costs[0]), Math.log10(costs.at(-1))];
  const xaxis2 = logAxis({ ...x, range: [low - 0.05, Math.max(high, low + 0.3) + 0.05] });
  const first = firstMerit(paths);
  if (view.merit === "escape") {
    return { xaxis2, yaxis2: axis({ ...y, range: [-3 * first, 2 * first] }) };
  }
  const seen = paths.flatMap((path) => path.heights);
  const top = Math.log10(Math.min(Math.max(first, ...seen), ABOVE_START * first)) + 0.3;
  const bottom = Math.log10(Math.min(first, ...seen)) - 0.3;
  const dtick = Math.max(1, Math.ceil((top - bottom) / 8));
  return { xaxis2, yaxis2: logAxis({ ...y, range: [bottom, top], dtick }) };
}

const cursorLine = (cost) => ({
  type: "line",
  xref: "x2",
  yref: "y2 domain",
  x0: cost,
  x1: cost,
  y0: 0,
  y1: 1,
  line: { color: ink("muted"), width: 1.5, dash: "dot" },
});

function hoverTexts(view, path, facts) {
  const name = wrapped(facts.optimizers[path.optimizer].label, 44);
  const setting = wrapped(settingText(path.entry, path.setting), 52);
  const merit = MERITS[view.merit];
  return path.steps.map((step, index) => {
    const lines = [
      `<b>${name}</b>`,
      setting,
      `step ${step}, cost ${number(path.costs[index])}`,
      `${merit} = ${number(path.merits[index])}, f = ${number(path.values[index])}`,
    ];
    if (path.offPlane) lines.push(`off the plane: ${number(100 * path.offPlane[index])} %`);
    return lines.join("<br>");
  });
}

function altOf(label, paths, facts, cost) {
  const ends = paths.map((path) => {
    const merit = path.merits[reached(path, cost) - 1];
    return `${facts.optimizers[path.optimizer].label} at ${number(merit)}`;
  });
  return `Paths over contours of ${label}, up to cost ${number(cost)}: ${ends.join(", ")}.`;
}

function pathTable(view, paths, facts) {
  const columns = ["optimizer", "setting", "seed", "step", "cost", "x1", "x2", "merit"];
  const short = (value) => (value === null ? value : Number(value.toPrecision(7)));
  const rows = paths.flatMap((path) =>
    path.steps.map((step, index) => [
      facts.optimizers[path.optimizer].label,
      settingText(path.entry, path.setting),
      path.seed,
      step,
      ...[path.costs, path.x, path.y, path.merits].map((values) => short(values[index])),
    ]),
  );
  return { columns, rows };
}

const pathCommand = (facts, label) =>
  [
    plotCommand(facts, "trajectories", { problem: [label] }),
    `optbench animate ${shellWord(facts.folder)} --problem ${shellWord(label)} --to out.gif`,
  ].join("\n");
