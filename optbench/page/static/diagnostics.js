// What was measured along the path of the first start: one kind at a time, a panel below the other.

const DIAGNOSTIC_PANEL = 190; // pixels, of each of several
const DIAGNOSTIC_ALONE = 340;
const DIAGNOSTIC_GAP = 0.06; // of the height, between panels
const DIAGNOSTIC_MARGIN = 3; // of a logarithmic axis beyond its values, a factor
const DIAGNOSTIC_LOWEST = 1e-20; // no logarithmic axis goes further down

SECTIONS.push([
  "diagnostics",
  "Diagnostics",
  (host, data, facts) => {
    const kinds = Object.keys(data.kinds);
    const first = data.problems.findIndex((problem) => problem.lines.some(Boolean));
    const start = kinds.find((kind) => diagnosticPanels(data, data.problems[first], kind).length);
    const view = { kind: start, statistic: "norm", across: "log" };
    const study = { data, facts, view };
    addFigure(host, {
      id: "diagnostics",
      title: "What happened along the path",
      read: "the first start of each optimizer at its tuned setting; a dotted line is the threshold of the line of its color.",
      depends: ["problem", "optimizers"],
      legend: shownOptimizers(facts),
      controls: (bar, redraw) => diagnosticControls(bar, redraw, study),
      draw: () => diagnosticDrawing(study),
      table: () => diagnosticNumbers(study),
      command: () => diagnosticCommand(study),
    });
  },
]);

function diagnosticControls(bar, redraw, { data, facts, view }) {
  const set = (key) => (value) => {
    view[key] = value;
    statistic.hidden = !data.kinds[view.kind].of;
    redraw();
  };
  const kinds = Object.entries(data.kinds).filter(([kind]) =>
    data.problems.some((problem) => diagnosticPanels(data, problem, kind).length),
  );
  const names = data.statistics.map((name) => [name, name]);
  const statistic = menu("statistic", names, view.statistic, set("statistic"));
  statistic.hidden = !data.kinds[view.kind].of;
  const scales = [
    ["log", "logarithmic"],
    ["linear", "linear"],
  ];
  bar.append(
    problemMenu(facts),
    menu("measured", kinds.map(([kind, { title }]) => [kind, title]), view.kind, set("kind")),
    statistic,
    menu("steps", scales, view.across, set("across")),
  );
}

// The panels of a kind of which something is known on a problem.
function diagnosticPanels(data, problem, kind, statistic = "norm") {
  const { of, panels } = data.kinds[kind];
  const isSize = statistic === "norm" || statistic === "std";
  const all = of
    ? problem.leaves[of].map((leaf) => ({
        name: `${leaf}/${statistic}`,
        label: leaf.split("/").slice(1).join("/") || leaf,
        scale: isSize ? "log" : "linear",
      }))
    : panels;
  return all.filter(({ name }) => problem.lines.some((line) => line?.names.includes(name)));
}

// Values of a name along a line; null where they are not known.
function diagnosticValues(line, name) {
  const place = line ? line.names.indexOf(name) : -1;
  return place < 0 ? null : at(line.rows, place + 1);
}

function diagnosticDrawing({ data, facts, view }) {
  const problem = data.problems[selection.problem];
  const panels = diagnosticPanels(data, problem, view.kind, view.statistic);
  const { title, told } = data.kinds[view.kind];
  const note = [`${told[0].toUpperCase()}${told.slice(1)}.`];
  const has = (index) =>
    panels.some(({ name }) => diagnosticValues(problem.lines[index], name) !== null);
  const shown = selection.optimizers.filter(has);
  const absent = selection.optimizers.filter((index) => !has(index));
  if (absent.length) {
    note.push(`Not measured: ${absent.map((index) => facts.optimizers[index].label).join(", ")}.`);
  }
  if (!shown.length) {
    return { empty: `No ${title} of an optimizer that is shown is known here.`, note: note.join(" ") };
  }
  let left = 0;
  const traces = [];
  const layout = { shapes: [], annotations: [] };
  panels.forEach((panel, row) => {
    const drawn = shown.flatMap((index) => {
      const made = diagnosticTraces(problem, facts, { index, panel, row, view });
      left += made.left;
      return made.traces;
    });
    traces.push(...drawn);
    diagnosticAxes(layout, { panel, row, rows: panels.length, drawn });
  });
  if (left) note.push(`${left} values that are not positive or not finite are left out.`);
  const across = view.across === "log" ? logAxis : axis;
  if (view.across === "log") note.push("Step 0 is left out.");
  const bottom = panels.length === 1 ? "y" : `y${panels.length}`;
  layout.xaxis = across({ title: "step", anchor: bottom });
  return {
    traces,
    layout: { ...layoutOf(), ...layout },
    height: panels.length > 1 ? DIAGNOSTIC_PANEL * panels.length + 90 : DIAGNOSTIC_ALONE,
    note: note.join(" "),
    alt: `${title} over steps of ${shown.length} optimizers on ${facts.problems[selection.problem].label}.`,
  };
}

function diagnosticTraces(problem, facts, { index, panel, row, view }) {
  const line = problem.lines[index];
  const values = diagnosticValues(line, panel.name);
  if (values === null) return { traces: [], left: 0 };
  const optimizer = facts.optimizers[index];
  const look = lookOf(optimizer);
  const steps = at(line.rows, 0);
  const head = `<b>${wrapped(optimizer.label, 44)}</b><br>${wrapped(line.setting, 44)}`;
  const place = (name) => diagnosticPoints(steps, diagnosticValues(line, name), panel, view);
  const main = place(panel.name);
  const axes = { xaxis: "x", yaxis: row ? `y${row + 1}` : "y" };
  const texts = main.x.map(
    (step, k) => `${head}<br>step ${number(steps[k])}<br>${plain(panel.label)}: ${number(values[k])}`,
  );
  const traces = [
    {
      ...axes,
      x: main.x,
      y: main.y,
      text: texts,
      hoverinfo: "text",
      mode: "lines+markers",
      line: look.line,
      marker: { ...look.marker, maxdisplayed: 6 },
      meta: { optimizer: index, part: panel.name },
    },
  ];
  const against = panel.against && diagnosticValues(line, panel.against);
  if (against) traces.push(diagnosticThreshold(place(panel.against), look, head, axes, index));
  const marks = panel.marks && diagnosticValues(line, panel.marks);
  if (marks) traces.push(diagnosticRings(main, marks, axes, index));
  return { traces, left: main.left };
}

function diagnosticThreshold({ x, y }, look, head, axes, index) {
  return {
    ...axes,
    x,
    y,
    mode: "lines",
    line: { color: look.line.color, dash: "2px,3px", width: 2 },
    text: y.map((value) => `${head}<br>threshold: ${number(value)}`),
    hoverinfo: "text",
    meta: { optimizer: index, part: "threshold" },
  };
}

function diagnosticRings({ x, y }, marks, axes, index) {
  const ringed = range(x.length).filter((k) => marks[k] === 1);
  return {
    ...axes,
    x: ringed.map((k) => x[k]),
    y: ringed.map((k) => y[k]),
    mode: "markers",
    marker: { symbol: "circle-open", size: 14, color: ink("ink"), line: { width: 1.6 } },
    hoverinfo: "skip",
    meta: { optimizer: index, part: "spikes" },
  };
}

function diagnosticPoints(steps, values, { scale }, { across }) {
  let left = 0;
  const x = Array.from(steps, (step) => (across === "log" && step === 0 ? null : step));
  const y = Array.from(values, (value, k) => {
    const isKnown = Number.isFinite(value) && (scale !== "log" || value > 0);
    if (!isKnown && !Number.isNaN(value) && x[k] !== null) left += 1;
    return isKnown && x[k] !== null ? value : null;
  });
  return { x, y, left };
}

// The axis of one panel, its levels as lines with their names.
function diagnosticAxes(layout, { panel, row, rows, drawn }) {
  const name = row ? `yaxis${row + 1}` : "yaxis";
  const height = (1 - DIAGNOSTIC_GAP * (rows - 1)) / rows;
  const top = 1 - row * (height + DIAGNOSTIC_GAP);
  const domain = [Math.max(0, top - height), top];
  const levels = panel.levels || [];
  const heights = drawn.flatMap(({ y }) => y).filter((value) => value !== null);
  const title = { text: plain(panel.label), font: { size: 13 } };
  const isLog = panel.scale === "log";
  const span = isLog ? diagnosticSpan([...heights, ...levels.map(([height]) => height)]) : null;
  const range = span || panel.limits;
  layout[name] = (isLog ? logAxis : axis)({ title, domain, ...(range && { range }) });
  for (const [height, text] of levels) {
    const yref = row ? `y${row + 1}` : "y";
    const style = { color: ink("muted"), width: 1, dash: "dash" };
    layout.shapes.push({
      type: "line",
      xref: "paper",
      x0: 0,
      x1: 1,
      yref,
      y0: height,
      y1: height,
      line: style,
      layer: "below",
    });
    layout.annotations.push({
      text,
      xref: "paper",
      x: 1,
      xanchor: "right",
      yref,
      y: isLog ? Math.log10(height) : height,
      yanchor: "bottom",
      showarrow: false,
      font: { size: 12, color: ink("muted") },
    });
  }
}

function diagnosticSpan(heights) {
  const low = Math.max(Math.min(...heights), DIAGNOSTIC_LOWEST) / DIAGNOSTIC_MARGIN;
  const high = Math.max(...heights) * DIAGNOSTIC_MARGIN;
  return high > low ? [Math.log10(low), Math.log10(high)] : null;
}

function diagnosticNumbers({ data, facts, view }) {
  const problem = data.problems[selection.problem];
  const panels = diagnosticPanels(data, problem, view.kind, view.statistic);
  const names = panels.flatMap(({ name, against }) => [name, against].filter(Boolean));
  const rows = selection.optimizers.flatMap((index) => {
    const line = problem.lines[index];
    if (!line) return [];
    const label = facts.optimizers[index].label;
    const values = names.map((name) => diagnosticValues(line, name));
    const of = facts.problems[selection.problem].label;
    return Array.from(at(line.rows, 0), (step, k) => [
      of,
      label,
      line.setting,
      step,
      ...values.map((known) => (known && !Number.isNaN(known[k]) ? known[k] : null)),
    ]);
  });
  return { columns: ["problem", "optimizer", "setting", "step", ...names], rows };
}

function diagnosticCommand({ data, facts, view }) {
  if (!data.problems[selection.problem].measured) return null;
  const { label } = facts.problems[selection.problem];
  return plotCommand(facts, view.kind, { problem: [label], optimizer: namedOptimizers(facts) });
}
