// The runs of one theorem next to its bound, in panels, with all that the theorem says.

const PAPER_NAMES = { relative: "over the bound at its first place", ratio: "observed / bound" };

function curvesSpec(theorems, view, change) {
  const chosen = () => theorems[view.chosen];
  const facts = element("dl", { class: "facts" });
  const key = element("ul", { class: "key", "aria-label": "Lines" });
  return {
    id: "bound",
    title: "A theorem next to its runs",
    read: () => chosen().read,
    depends: [],
    facts,
    key,
    controls: (bar) => bar.append(theoremMenu(theorems, view, change)),
    draw: () => {
      facts.replaceChildren(...factsOf(chosen()));
      key.replaceChildren(...lineKey(chosen()));
      return curvesDrawing(chosen(), columnsOf(key));
    },
    table: () => curvesTable(chosen()),
    command: () => chosen().command,
  };
}

const columnsOf = (element) => (element.parentElement.clientWidth > 640 ? 2 : 1);

function theoremMenu(theorems, view, change) {
  const label = menu("theorem", [], null, (value) => change({ chosen: Number(value) }));
  const select = label.querySelector("select");
  const fill = () => {
    const groups = new Map();
    const listed = view.shown.includes(view.chosen) ? view.shown : [view.chosen];
    for (const index of listed) {
      const { group, name, verdict } = theorems[index];
      if (!groups.has(group)) groups.set(group, element("optgroup", { label: group }));
      const text = verdict === "holds" ? name : `${name}: ${verdict}`;
      const selected = index === view.chosen;
      groups.get(group).append(element("option", { value: String(index), selected }, text));
    }
    select.replaceChildren(...groups.values());
  };
  view.heard.push(fill);
  fill();
  return label;
}

function factsOf(theorem) {
  const [first, last] = theorem.steps || [null, null];
  const steps = first === last ? number(first) : `${first} to ${last}`;
  const rows = [
    ["theorem", element("b", {}, theorem.name)],
    ["statement", theorem.statement],
    ["formula", element("code", {}, theorem.latex)],
    ["of", theorem.method],
    ["needs", theorem.assumptions.join(", ") || "nothing"],
    ["source", theorem.source],
    ["verdict", verdictOf(theorem)],
    ["observed / bound", ratioOf(theorem)],
    ["tightness", theorem.tightness === null ? "–" : theorem.tightness.toFixed(4)],
    ["catches", `an error of ${theorem.power} in its constant`],
    ["compared", `${theorem.runs} runs, k = ${steps}`],
  ];
  if (theorem.power === "none") rows[9][1] = "no error in its constant up to 10x";
  if (theorem.unattained) rows.push(["attained by none", theorem.unattained]);
  for (const crossing of theorem.crossings) rows.push(["crossed", crossingText(crossing)]);
  return rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]);
}

function crossingText({ k, observed, bound, instance, seed, setting, optimizer }) {
  const place = [`seed ${seed}`, ...settingOf(setting)].join(", ");
  return `at k = ${k} on ${instance} (${place}) by ${optimizer}: observed ${number(observed)}, bound ${number(bound)}`;
}

const settingOf = (setting) =>
  Object.entries(setting).map(([name, value]) => `${name} = ${number(value)}`);

function lineKey(theorem) {
  const bound = { color: "#000000", dash: "solid", width: 3.4 };
  const granted = theorem.panels[0].scale === "zero";
  const crossed = theorem.panels.some((panel) => panel.crossed.length);
  const items = [
    [bound, granted ? "granted" : "bound"],
    ...theorem.lines.map((line) => [line, line.name]),
    ...(crossed ? [[{ ...VERDICTS.crossed, dash: null }, "crossed"]] : []),
  ];
  return items.map(([look, name]) => element("li", {}, pieceOfLine(look).drawing, name));
}

// Panels

function curvesDrawing(theorem, most) {
  const { panels } = theorem;
  const columns = Math.min(most, panels.length);
  const rows = Math.ceil(panels.length / columns);
  const height = rows * (PANEL_HEIGHT + PANEL_GAP);
  const layout = layoutOf({ margin: { l: 76, r: 18, t: 34, b: 58 }, annotations: [] });
  const inner = height - 34 - 58;
  const traces = panels.flatMap((panel, index) => {
    const suffix = index ? String(index + 1) : "";
    const [row, column] = [Math.floor(index / columns), index % columns];
    const left = column * (columns === 2 ? 0.54 : 1);
    const top = inner - row * (PANEL_HEIGHT + PANEL_GAP);
    const bottom = Math.max(top - PANEL_HEIGHT, 0);
    Object.assign(layout, panelAxes(panel, suffix, column === 0));
    layout[`xaxis${suffix}`].domain = [left, left + (columns === 2 ? 0.46 : 1)];
    layout[`yaxis${suffix}`].domain = [bottom / inner, top / inner];
    layout.annotations.push(panelTitle(panel, left, top / inner));
    return panelTraces(theorem, panel, suffix);
  });
  return { traces, layout, height, alt: curvesAlt(theorem) };
}

function panelTitle(panel, x, y) {
  const text = plain(settingOf(panel.setting).join(", "));
  const place = { xref: "paper", yref: "paper", xanchor: "left", yanchor: "bottom", yshift: 4 };
  return { x, y, ...place, text, showarrow: false };
}

function panelAxes(panel, suffix, isFirst) {
  const single = panel.x.length === 1;
  const xaxis = {
    title: panel.axis === "k" ? "step k" : plain(panel.axis),
    type: panel.logarithmic && !single ? "log" : "linear",
    anchor: `y${suffix}`,
    ...(single ? { range: [panel.x[0] - 1, panel.x[0] + 1], tickvals: [panel.x[0]] } : {}),
  };
  const title = isFirst ? PAPER_NAMES[panel.scale] || "observed" : "";
  const yaxis = { title, anchor: `x${suffix}`, type: panel.scale === "ratio" ? "linear" : "log" };
  if (panel.range) yaxis.range = panel.range.map(Math.log10);
  if (yaxis.type === "log") yaxis.dtick = decades(panel);
  return { [`xaxis${suffix}`]: axis(xaxis), [`yaxis${suffix}`]: axis(yaxis) };
}

// Decades from tick to tick, so that about six are labeled.
function decades(panel) {
  const shown = panel.range || [...panel.heights, ...panel.reference].filter((y) => y > 0);
  const logs = Array.from(shown, Math.log10);
  const size = logs.reduce((a, b) => Math.max(a, b)) - logs.reduce((a, b) => Math.min(a, b));
  return size < 1.2 ? "D2" : Math.max(1, Math.ceil(size / 6));
}

function panelTraces(theorem, panel, suffix) {
  const axes = { xaxis: `x${suffix}`, yaxis: `y${suffix}` };
  const single = panel.x.length === 1;
  const lines = theorem.lines.map((line, index) => runTrace(panel, line, index)).filter(Boolean);
  lines.sort((a, b) => (a.name === WORST) - (b.name === WORST));
  const ends = single ? [panel.x[0] - 1, panel.x[0] + 1] : panel.x;
  const bound = {
    x: Array.from(ends),
    y: single ? [panel.reference[0], panel.reference[0]] : Array.from(panel.reference),
    mode: "lines",
    line: { color: ink("ink"), width: 3.2 },
    name: panel.scale === "zero" ? "granted" : "bound",
  };
  const color = (index) => colorOf(theorem.lines[panel.which[index]]);
  const marks = [
    [panel.nearest, { symbol: "circle", size: 9 }, "nearest"],
    [panel.crossed, { symbol: "x", size: 13, color: colorOf(VERDICTS.crossed) }, "crossed"],
  ];
  const dots = marks.map(([points, marker, name]) => {
    const rows = range(points.shape[0]).map((index) => at(points, index));
    const x = rows.map(([curve, place]) => place + apart(panel, curve));
    const colors = marker.color || rows.map(([curve]) => color(curve));
    return { x, y: rows.map((row) => row[2]), mode: "markers", name, marker: { ...marker, color: colors } };
  });
  const drawn = [...lines, bound, ...dots.filter((one) => one.x.length)];
  return drawn.map((one) => ({ ...one, ...axes, hovertemplate: HOVER }));
}

const WORST = "worst cases"; // drawn above the others
const HOVER = "%{fullData.name}<br>%{x}: %{y:.4g}<extra></extra>";

// All curves of one name as one trace, with a gap after each.
function runTrace(panel, line, which) {
  const own = range(panel.which.length).filter((index) => panel.which[index] === which);
  if (!own.length) return null;
  const curves = own.map((index) => Array.from(at(panel.heights, index)));
  const most = Math.max(...curves.map((curve) => curve.filter((y) => !Number.isNaN(y)).length));
  return {
    x: own.flatMap((index) => [...Array.from(panel.x, (x) => x + apart(panel, index)), null]),
    y: curves.flatMap((curve) => [...curve.map((y) => (Number.isNaN(y) ? null : y)), null]),
    mode: most <= FEW_POINTS ? "lines+markers" : "lines",
    line: { color: colorOf(line), dash: line.dash, width: 1.6 },
    marker: { color: colorOf(line), size: 6 },
    name: plain(line.name),
  };
}

// How far a curve is moved aside, where all have the same one place.
function apart(panel, index) {
  if (panel.x.length > 1) return 0;
  return SPREAD * (index / Math.max(panel.which.length - 1, 1) - 0.5);
}

function curvesAlt(theorem) {
  const kinds = Object.entries(theorem.kinds).map(([kind, count]) => `${count} ${kind}`);
  return (
    `${theorem.name}: ${verdictOf(theorem)}. ${theorem.runs} runs (${kinds.join(", ")}) next to ` +
    `the bound, in ${theorem.panels.length} panels; observed over bound ${ratioOf(theorem)}.`
  );
}

function curvesTable(theorem) {
  const rows = theorem.panels.flatMap((panel) => {
    const setting = settingOf(panel.setting).join(", ");
    const row = (name, index, heights) =>
      Array.from(heights, (y, place) => [setting, panel.axis, name, index, panel.x[place], y]);
    const curves = Array.from(panel.which, (which, index) =>
      row(theorem.lines[which].name, index, at(panel.heights, index)),
    );
    return [row("bound", null, panel.reference), ...curves].flat();
  });
  const known = rows.filter((row) => !Number.isNaN(row[5]));
  return { columns: ["setting", "axis", "line", "curve", "place", "height"], rows: known };
}
