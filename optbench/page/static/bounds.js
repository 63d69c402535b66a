// Theorems next to runs: how near each bound is, and the runs of the theorem that is chosen.

const VERDICTS = {
  holds: { color: "#0072B2", symbol: "circle" },
  crossed: { color: "#D55E00", symbol: "x" },
  "not attained": { color: "#E69F00", symbol: "triangle-down" },
  "breaks in float64": { color: "#CC79A7", symbol: "square" },
  "said to break": { color: "#000000", symbol: "diamond" },
  "not compared": { color: "#56B4E9", symbol: "triangle-up" },
};
const LANE = 9; // pixels between dots of one family that have one place
const PANEL_HEIGHT = 300;
const PANEL_GAP = 92; // between panels above each other: ticks, axis title, panel title
const SPREAD = 0.6; // of curves that have one place only, as on paper
const FEW_POINTS = 12; // of a curve that are marked

SECTIONS.push(["bounds", "Theorems", (host, data) => addBounds(host, data.theorems)]);

function addBounds(host, theorems) {
  const view = { chosen: 0, shown: range(theorems.length), heard: [] };
  const change = (changes) => {
    Object.assign(view, changes);
    view.heard.forEach((heard) => heard());
    [strip, curves].forEach(redraw);
  };
  const strip = addFigure(host, stripSpec(theorems, view, change));
  const curves = addFigure(host, curvesSpec(theorems, view, change));
  strip.plot.before(verdictKey(theorems));
  curves.plot.before(curves.facts, curves.key);
  view.show = () => curves.box.scrollIntoView({ block: "nearest" });
}

const verdictOf = (theorem) =>
  theorem.verdict + (theorem.standing === "theorem" ? "" : ` (${theorem.standing})`);

const ratioOf = (theorem) =>
  theorem.ratio === null ? "–" : `${number(theorem.ratio)} at k = ${theorem.ratio_k}`;

// How near

function stripSpec(theorems, view, change) {
  const placed = () => view.shown.filter((index) => theorems[index].place !== null);
  return {
    id: "bounds",
    title: "How near each bound is",
    read:
      "each mark is a theorem where one of its runs comes nearest to crossing it; at 1 a run " +
      "attains the bound, and beyond 1 by more than rounding the bound is crossed; choose one to " +
      "see its runs below.",
    depends: [],
    controls: (bar) => bar.append(...theoremSearch(theorems, view, change)),
    draw: () =>
      placed().length
        ? stripDrawing(theorems, placed(), view)
        : { empty: "No theorem that matches has a ratio." },
    table: () => stripTable(theorems, view.shown),
    command: () => "optbench bounds",
    drawn: (plot) => {
      plot.removeAllListeners("plotly_click");
      plot.on("plotly_click", ({ points }) => {
        change({ chosen: points[0].customdata });
        view.show();
      });
    },
  };
}

function theoremSearch(theorems, view, change) {
  const words = ["name", "family", "group", "statement", "direction", "method", "source", "verdict",
    "standing"];
  const haystacks = theorems.map((theorem) =>
    [...words.map((word) => theorem[word]), ...theorem.assumptions].join(" ").toLowerCase(),
  );
  const count = element("output", { "aria-live": "polite" });
  const search = element("input", {
    type: "search",
    placeholder: "search",
    "aria-label": "Search theorems",
  });
  const tell = () => {
    const apart = view.shown.filter((index) => theorems[index].place === null).length;
    count.textContent =
      `${view.shown.length} of ${theorems.length} theorems` +
      (apart ? `, ${apart} without a ratio: the bound is zero, or not compared` : "");
  };
  search.addEventListener("input", () => {
    const asked = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = range(theorems.length).filter((index) =>
      asked.every((word) => haystacks[index].includes(word)),
    );
    const chosen = shown.includes(view.chosen) || !shown.length ? view.chosen : shown[0];
    change({ shown, chosen });
  });
  view.heard.push(tell);
  tell();
  return [search, count];
}

function verdictKey(theorems) {
  const items = Object.entries(VERDICTS).map(([verdict, look]) => {
    const count = theorems.filter((theorem) => theorem.verdict === verdict).length;
    return count && element("li", {}, swatch({ ...look, dash: null }), `${verdict} (${count})`);
  });
  return element("ul", { class: "key", "aria-label": "Verdicts" }, ...items.filter(Boolean));
}

function stripDrawing(theorems, placed, view) {
  const ends = [...placed.map((index) => theorems[index].place), 1].map(Math.log10);
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const width = Math.max(high - low, 0.3);
  const { rows, lanes, height } = familyRows(theorems, placed, width / 70);
  const dots = (verdict) => placed.filter((index) => theorems[index].verdict === verdict);
  const trace = (indices, marker, more = {}) => ({
    x: indices.map((index) => theorems[index].place),
    y: indices.map((index) => lanes.get(index)),
    customdata: indices,
    mode: "markers",
    marker,
    ...more,
  });
  const ring = { symbol: "circle-open", size: 17, color: ink("ink"), line: { width: 2.5 } };
  const traces = Object.entries(VERDICTS).map(([verdict, look]) =>
    trace(
      dots(verdict),
      { color: colorOf(look), symbol: look.symbol, size: verdict === "holds" ? 8 : 12 },
      { text: dots(verdict).map((index) => hoverOf(theorems[index])), hoverinfo: "text" },
    ),
  );
  const chosen = placed.filter((index) => index === view.chosen);
  traces.unshift(trace(chosen, ring, { hoverinfo: "skip" }));
  return {
    traces: traces.filter((one) => one.x.length),
    height: height + 70,
    alt: stripAlt(theorems, placed),
    layout: stripLayout(rows, height, [low - 0.06 * width, high + 0.08 * width]),
  };
}

function stripLayout(rows, height, limits) {
  return layoutOf({
    hovermode: "closest",
    xaxis: {
      type: "log",
      range: limits,
      dtick: "D2",
      title: "observed / bound where a run comes nearest<br>(of a lower bound, bound / observed)",
    },
    yaxis: {
      range: [height, 0],
      tickvals: rows.map((row) => row.middle),
      ticktext: rows.map((row) => plain(row.family)),
      showgrid: false,
      zeroline: false,
      ticks: "",
      fixedrange: true,
    },
    margin: { l: 70, r: 18, t: 8, b: 70 },
    shapes: [
      { type: "line", x0: 1, x1: 1, y0: 0, y1: 1, yref: "paper", layer: "below",
        line: { color: ink("ink"), width: 2 } },
      ...rows.slice(1).map((row) => ({
        type: "line", xref: "paper", x0: 0, x1: 1, y0: row.top, y1: row.top, layer: "below",
        line: { color: ink("grid"), width: 1 },
      })),
    ],
  });
}

// Rows of families from the top down, in pixels; dots that would touch lie in lanes of their own.
function familyRows(theorems, placed, apart) {
  const lanes = new Map();
  const rows = [];
  let top = 0;
  for (const family of new Set(placed.map((index) => theorems[index].family))) {
    const own = placed
      .filter((index) => theorems[index].family === family)
      .sort((a, b) => theorems[a].place - theorems[b].place);
    const last = []; // place of the latest dot of each lane
    for (const index of own) {
      const x = Math.log10(theorems[index].place);
      const free = last.findIndex((before) => x - before >= apart);
      const lane = free < 0 ? last.length : free;
      last[lane] = x;
      lanes.set(index, lane);
    }
    const size = LANE * (last.length + 2);
    const middle = top + size / 2 - (last.length % 2 ? 0 : LANE / 2);
    for (const index of own) {
      const lane = lanes.get(index);
      lanes.set(index, middle + LANE * (lane % 2 ? (lane + 1) / 2 : -lane / 2));
    }
    rows.push({ family, top, middle: top + size / 2 });
    top += size;
  }
  return { rows, lanes, height: top };
}

function hoverOf(theorem) {
  const says = `${verdictOf(theorem)}; observed / bound ${ratioOf(theorem)}`;
  return [`<b>${plain(theorem.name)}</b>`, plain(says), wrapped(theorem.statement, 60)].join("<br>");
}

function stripAlt(theorems, placed) {
  const counts = Object.keys(VERDICTS)
    .map((verdict) => [verdict, placed.filter((i) => theorems[i].verdict === verdict).length])
    .filter(([, count]) => count)
    .map(([verdict, count]) => `${count} ${verdict}`);
  const nearest = placed.filter((index) => Math.abs(theorems[index].place - 1) < 1e-3).length;
  return `${placed.length} theorems by observed over bound: ${counts.join(", ")}; ${nearest} come within 0.1 % of 1.`;
}

function stripTable(theorems, shown) {
  const columns = ["name", "family", "group", "verdict", "standing", "direction", "ratio", "ratio_k",
    "place", "tightness", "power", "runs"];
  const rows = shown.map((index) => columns.map((name) => theorems[index][name]));
  return { columns: ["theorem", ...columns.slice(1)], rows };
}
