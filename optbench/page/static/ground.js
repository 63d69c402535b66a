// What lies below the paths of a view: contours of f, a color scale, and where its gradient vanishes.

const LAND = {
  light: ["#FFFFFF", "#E4EBF1", "#BCC9D6"],
  dark: ["#14171B", "#27333E", "#43566A"],
};
const PASS = { light: ["#E2C9A6", "#FFFFFF", "#BCC9D6"], dark: ["#5A4526", "#14171B", "#43566A"] };
const CONTOUR = { light: "#74879A", dark: "#6F8296" };
const STAR = "#F0E442";
const POINT_SYMBOLS = {
  minimum: "star-open",
  saddle: "x-thin",
  maximum: "triangle-up-open",
  degenerate: "circle-open-dot",
};
const scaleTitle = (text) => ({ text: `${text}<br>\u00a0`, side: "top" }); // clear of the highest tick
const tone = (colors) => colors[isDark() ? "dark" : "light"];

function contourTraces(view, { x, up }) {
  const { z, low, high, step, ticks, texts, signed } = view.relief;
  const rows = range(z.shape[0]).map((row) => at(z, row));
  const grid = { type: "contour", x: view.x, y: view.y, z: rows, hoverinfo: "skip" };
  const colors = tone(signed ? PASS : LAND);
  const filled = {
    ...grid,
    autocontour: false,
    contours: { coloring: "fill", start: low, end: high, size: step },
    line: { color: tone(CONTOUR), width: 0.6, smoothing: 0 },
    zmin: low,
    zmax: high,
    colorscale: colors.map((color, index) => [index / 2, color]),
    colorbar: {
      x,
      y: up[1],
      yanchor: "top",
      len: up[1] - up[0],
      thickness: 13,
      outlinewidth: 0,
      tickvals: ticks,
      ticktext: texts,
      ticks: "outside",
      title: scaleTitle(view.above),
    },
  };
  if (!signed) return [filled];
  const level = { coloring: "none", start: 0, end: 0, size: 1 };
  const line = { color: ink("ink"), width: 2 };
  return [filled, { ...grid, autocontour: false, contours: level, line, showscale: false }];
}

// The minimizer, and the other points where the gradient vanishes.
function pointTraces(view) {
  const traces = (view.critical || []).map((group) => ({
    mode: "markers",
    x: group.points.map(([x]) => x),
    y: group.points.map(([, y]) => y),
    hoverinfo: "text",
    hovertext: group.points.map(
      ([x, y], index) =>
        `${group.kind}<br>f = ${number(group.values[index])}<br>at (${number(x)}, ${number(y)})`,
    ),
    marker: {
      symbol: POINT_SYMBOLS[group.kind],
      size: 11,
      color: ink("ink"),
      line: { color: ink("ink"), width: 2 },
    },
  }));
  if (!view.minimizer) return traces;
  const [x, y] = view.minimizer;
  return [
    ...traces,
    {
      mode: "markers",
      x: [x],
      y: [y],
      hoverinfo: "text",
      hovertext: `minimizer (${number(x)}, ${number(y)})`,
      marker: { symbol: "star", size: 18, color: STAR, line: { color: "#000000", width: 1.2 } },
    },
  ];
}

const COMPARABLE = 2.5; // of the sides of a view: up to it, both axes have one scale

// Height over width of what the map shows, in its own units; 1 where they differ.
function slopeOf(view, [x, y]) {
  const slope = (y[1] - y[0]) / (x[1] - x[0]);
  return !view.axes && slope < COMPARABLE && slope > 1 / COMPARABLE ? slope : 1;
}

const mapRanges = (view, paths, fit) =>
  fit ? extentsOf(view, paths) : [ends(view.x), ends(view.y)];

function mapAxes(view, [x, y], { across, up }) {
  const names = axisNames(view);
  const common = { showgrid: false, zeroline: false };
  return {
    xaxis: axis({ ...common, anchor: "y", range: x, title: names[0], domain: across }),
    yaxis: axis({ ...common, anchor: "x", range: y, title: names[1], domain: up }),
  };
}

function axisNames({ axes, plane }) {
  if (axes) return axes.map(plain);
  if (!plane) return ["x<sub>1</sub>", "x<sub>2</sub>"];
  const share = (index) => `${number(100 * (plane.explained[index] || 0))} %`;
  return [`1st direction, ${share(0)} of the variance`, `2nd, ${share(1)}`];
}

const ends = (array) => [array[0], array.at(-1)];
const FARTHEST = 50; // sides of the view that paths are followed to
const ROOM = 0.05; // around them

// Ranges that hold the view and all paths.
function extentsOf(view, paths) {
  return ["x", "y"].map((name) => {
    const [low, high] = ends(view[name]);
    const side = high - low;
    const near = paths
      .flatMap((path) => path[name])
      .filter((value) => value > low - FARTHEST * side && value < high + FARTHEST * side);
    const [from, to] = [Math.min(low, ...near), Math.max(high, ...near)];
    return [from - ROOM * (to - from), to + ROOM * (to - from)];
  });
}
