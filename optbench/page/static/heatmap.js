// A cell per problem and optimizer: how much dearer than the best there, or than the reference.

const LOG_RATIO_END = 6; // log2 of the ratio at which colors end
const CELL_HEIGHT = 22; // pixels of a row
const LETTER = 8; // pixels of one in a label
const MARKS = {
  "not reached": { symbol: "x-thin", size: 9 },
  crashed: { symbol: "triangle-up", size: 10 },
  "not applicable": { symbol: "line-ew", size: 9 },
  "not run": { symbol: "circle-open", size: 7 },
  "reached, by the reference not": { symbol: "star", size: 9 },
};
const SCALES = {
  // Light to dark, or dark to light: the best has the color next to the paper.
  light: ["#FFF7D6", "#9FD3C7", "#3C8DAD", "#1F3A68"],
  dark: ["#22344F", "#2F7394", "#86C9B8", "#FFF3B8"],
  // Cheaper than the reference, even, dearer: blue and orange differ for every eye.
  lightDiverging: ["#1B5E9B", "#8FC1E3", "#F2F2F2", "#F3B27A", "#A6480A"],
  darkDiverging: ["#7CC4FF", "#2F6C9E", "#4A525C", "#A65A1F", "#FFB366"],
};

function stateOf(costs, p, o, cost) {
  const why = whyNot(costs.data, p, o);
  if (STATES[at(costs.data.states, p, o)] === "failed") return "crashed";
  if (why !== "not timed") return why;
  if (Number.isNaN(cost)) return "not run";
  return Number.isFinite(cost) ? "reached" : "not reached";
}

// [P][O] of those shown: cost, log2 of the ratio (NaN where there is none), state.
function heatCells(costs, problems, optimizers, base) {
  const grid = costs.all(selection.unit, selection.target);
  return problems.map((p) => {
    const row = optimizers.map((o) => profiles.asCost(grid[p][o]));
    const least = base === null ? profiles.least(row) : profiles.asCost(grid[p][base]);
    return optimizers.map((o, index) => {
      const isKnown = Number.isFinite(row[index]) && Number.isFinite(least);
      return {
        cost: grid[p][o],
        ratio: isKnown ? Math.log2(row[index] / least) : NaN,
        state: stateOf(costs, p, o, grid[p][o]),
      };
    });
  });
}

function heatmapFigure(costs) {
  let over = "best";
  const { optimizers, problems } = costs.facts;
  const base = () => (over === "best" ? null : selection.reference);
  const baseName = () =>
    over === "best" ? "the best shown" : optimizers[selection.reference].label;
  const shown = () => [selection.problems, selection.optimizers];
  return {
    id: "heatmap",
    title: "Cost by problem and optimizer",
    read:
      "each cell tells how much dearer an optimizer is than the best of those shown on that " +
      "problem, or than the reference; a mark stands where there is no ratio. Choose a row, by " +
      "click, to look at its problem alone in the other figures.",
    depends: ["optimizers", "problems", "target", "unit", "reference", "problem"],
    controls(bar, redraw) {
      const options = [
        ["best", "the best shown"],
        ["reference", "the reference"],
      ];
      bar.append(
        menu("Cost over that of", options, over, (value) => {
          over = value;
          redraw();
        }),
      );
    },
    draw() {
      const [rows, columns] = shown();
      if (!rows.length || !columns.length) return { empty: "No pair is shown." };
      const cells = heatCells(costs, rows, columns, base());
      return {
        traces: [heatTrace(costs, cells, rows, columns, base(), baseName()), ...markTraces(cells)],
        layout: heatLayout(costs, rows, columns),
        height:
          headHeight() + 12 + labelWidth(columns, optimizers) + CELL_HEIGHT * rows.length,
        alt: heatAlt(cells, baseName()),
      };
    },
    drawn: (plot) => listenToRows(plot, shown),
    table() {
      const [rows, columns] = shown();
      const cells = heatCells(costs, rows, columns, base());
      return {
        columns: ["problem", "optimizer", "state", `cost (${costUnit(costs)})`, "log2 ratio"],
        rows: cells.flatMap((line, i) =>
          line.map(({ cost, ratio, state }, j) => [
            problems[rows[i]].label,
            optimizers[columns[j]].label,
            state,
            Number.isNaN(cost) ? null : cost,
            Number.isNaN(ratio) ? null : ratio,
          ]),
        ),
      };
    },
    command: () => (over === "best" ? comparisonCommand(costs, "heatmap") : null),
  };
}

function heatTrace(costs, cells, rows, columns, base, baseName) {
  const { optimizers, problems } = costs.facts;
  const text = cells.map((line, i) =>
    line.map((cell, j) => {
      const name = wrapped(optimizers[columns[j]].label, 40);
      return `<b>${wrapped(problems[rows[i]].label, 40)}</b><br>${name}<br>${cellText(costs, cell)}`;
    }),
  );
  const tone = `${isDark() ? "dark" : "light"}${base === null ? "" : "Diverging"}`;
  const colors = SCALES[tone];
  return {
    type: "heatmap",
    z: cells.map((line) => line.map(({ ratio }) => (Number.isNaN(ratio) ? null : ratio))),
    text,
    hoverinfo: "text",
    xgap: 1,
    ygap: 1,
    zmin: base === null ? 0 : -LOG_RATIO_END,
    zmax: LOG_RATIO_END,
    colorscale: colors.map((color, index) => [index / (colors.length - 1), color]),
    colorbar: heatBar(base, baseName),
  };
}

function cellText(costs, { cost, ratio, state }) {
  if (state !== "reached") return plain(state);
  const told = `${number(cost)} ${costUnit(costs)}`;
  return Number.isNaN(ratio)
    ? `${told}; the reference does not reach the target`
    : `${told}<br>${number(2 ** ratio)} times`;
}

function heatBar(base, baseName) {
  const all = base === null ? [0, 1, 2, 3, 4, 5, 6] : [-6, -4, -2, 0, 2, 4, 6];
  const values = isNarrow() ? all.filter((_, index) => index % 3 === 0) : all;
  const said = (v) => (v < 0 ? `1/${2 ** -v}` : `${2 ** v}`);
  const ends = values.map(
    (v) => (v === LOG_RATIO_END ? "≥ " : v === -LOG_RATIO_END ? "≤ " : "") + said(v),
  );
  return {
    orientation: "h",
    x: 0,
    xanchor: "left",
    y: 1,
    yanchor: "bottom",
    len: 1,
    thickness: 12,
    title: { text: wrapped(`times the cost of ${baseName}`, isNarrow() ? 22 : 70), side: "top" },
    tickvals: values,
    ticktext: ends,
    outlinewidth: 0,
  };
}

const markOf = ({ state, ratio }) =>
  state === "reached" && Number.isNaN(ratio) ? "reached, by the reference not" : state;

// A mark for every cell without a ratio, by state: seen without color, told in the legend.
function markTraces(cells) {
  return Object.entries(MARKS).flatMap(([state, { symbol, size }]) => {
    const x = [];
    const y = [];
    cells.forEach((line, i) =>
      line.forEach((cell, j) => {
        if (markOf(cell) === state) {
          x.push(j);
          y.push(i);
        }
      }),
    );
    if (!x.length) return [];
    const color = ink(state === "crashed" ? "warning" : "muted");
    const line = { color, width: 1.6 };
    return [
      {
        type: "scatter",
        mode: "markers",
        name: state,
        x,
        y,
        marker: { symbol, size, color, line },
        hoverinfo: "skip",
        showlegend: true,
      },
    ];
  });
}

// A label of a row or a column: its middle is left out where it is long, as its end tells it apart.
function shortened(label) {
  const most = mostLetters();
  if (label.length <= most) return plain(label);
  const half = Math.floor((most - 1) / 2);
  return `${plain(label.slice(0, half))}…${plain(label.slice(-half))}`;
}

const headHeight = () => (isNarrow() ? 220 : 120); // pixels of the key above the map
const mostLetters = () => (isNarrow() ? 16 : 34);
const labelWidth = (indices, items) =>
  LETTER * Math.max(...indices.map((index) => Math.min(items[index].label.length, mostLetters())));

function heatLayout(costs, rows, columns) {
  const { optimizers, problems } = costs.facts;
  const name = (p) => {
    const label = shortened(problems[p].label);
    return p === selection.problem ? `<b>▸ ${label}</b>` : label;
  };
  return layoutOf({
    margin: {
      l: 30 + labelWidth(rows, problems),
      r: 18,
      t: headHeight(),
      b: 12 + labelWidth(columns, optimizers),
      autoexpand: false,
    },
    showlegend: true,
    legend: { orientation: "h", x: 0, y: 1, yref: "container", yanchor: "top" },
    xaxis: {
      ...FIXED_LABELS,
      tickvals: range(columns.length),
      ticktext: columns.map((o) => shortened(optimizers[o].label)),
      tickangle: -90,
      range: [-0.5, columns.length - 0.5],
      showgrid: false,
      zeroline: false,
    },
    yaxis: {
      ...FIXED_LABELS,
      tickvals: range(rows.length),
      ticktext: rows.map(name),
      range: [rows.length - 0.5, -0.5],
      showgrid: false,
      zeroline: false,
    },
  });
}

function heatAlt(cells, baseName) {
  const states = cells.flat().map(({ state }) => state);
  const counts = [...new Set(states)].map(
    (state) => `${states.filter((other) => other === state).length} ${state}`,
  );
  return `Cost over that of ${baseName}, ${cells.length} problems by ${cells[0].length} ` +
    `optimizers: ${counts.join(", ")}.`;
}

function listenToRows(plot, shown) {
  if (plot.dataset.listens) return;
  plot.dataset.listens = "rows";
  plot.on("plotly_click", ({ points }) => {
    const row = shown()[0][Math.round(points[0].y)];
    if (row !== undefined) choose({ problem: row });
  });
}
