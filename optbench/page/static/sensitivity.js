// What each learning rate costs on one problem, expected over starts.

const SHARED_TARGET = "shared";
const STRIP_ROW = 16; // pixels of an optimizer in the strip of failures
const STRIP_MOST = 240; // pixels of the strip
const NAMED_EDGES = 3; // of which each has room for its text
const RATE = "learning_rate";

// Index of the hardest target that more than half of some optimizers reach, most starts each.
function sharedTarget(pairs) {
  const hardest = pairs.map(({ hardest }) => hardest).sort((a, b) => b - a);
  if (!hardest.length || hardest[0] < 0) return 0;
  const middle = hardest[hardest.length >> 1];
  return middle >= 0 ? middle : hardest[0];
}

// What is drawn of a pair at a target: its rates and costs, in the order of the rates.
function swept(pair, target) {
  const costs = at(pair.costs, target);
  const rates = pair.settings[RATE];
  const order = rates ? range(rates.length).sort((a, b) => rates[a] - rates[b]) : [];
  return {
    isAlone: Object.keys(pair.settings).length <= 1,
    order,
    rates: order.map((h) => rates[h]),
    costs: order.map((h) => costs[h]),
    best: profiles.least([...costs]),
    basin: pair.basins[target],
  };
}

function sensitivityFigure(data, facts) {
  let asked = SHARED_TARGET;
  const known = () =>
    selection.optimizers.filter((o) => facts.optimizers[o].label in data.pairs[selection.problem]);
  const pairOf = (o) => data.pairs[selection.problem][facts.optimizers[o].label];
  function looked() {
    const own = data.targets[selection.problem];
    const shown = known();
    const target =
      asked === SHARED_TARGET
        ? sharedTarget(shown.map(pairOf))
        : Math.max(0, own.filter((value) => value >= asked * (1 - 1e-9)).length - 1);
    return { target, fraction: own[target], shown };
  }
  return {
    id: "sensitivity",
    title: "Sensitivity to the learning rate",
    read:
      "low is cheap and wide is easy to tune: all cost spent over the number of successes, at " +
      "every setting that was tried; marks in the strip on top never reach the target. Marks " +
      "that no line joins differ in other settings too, so that they tell of no basin, the " +
      "decades of learning rates within twice the least cost. Dotted: where gradient descent, or " +
      "heavy ball, turns unstable on a quadratic, if L is known.",
    depends: ["optimizers", "problem"],
    legend: shownOptimizers(facts),
    controls: (bar, redraw) =>
      bar.append(
        problemMenu(facts),
        targetMenu(data, (value) => {
          asked = value;
          redraw();
        }),
      ),
    draw() {
      const { target, fraction, shown } = looked();
      if (!shown.length) {
        return { empty: `No optimizer shown has run on ${facts.problems[selection.problem].label}.` };
      }
      const lines = shown.map((o) => ({ o, pair: pairOf(o), ...swept(pairOf(o), target) }));
      return sensitivityDrawing(facts, lines, target, fraction);
    },
    table() {
      const { target, fraction, shown } = looked();
      const names = [...new Set(shown.flatMap((o) => Object.keys(pairOf(o).settings)))];
      return {
        columns: ["optimizer", ...names, `expected cost to ${power(fraction)}`],
        rows: shown.flatMap((o) => {
          const { settings, costs } = pairOf(o);
          return [...at(costs, target)].map((cost, h) => [
            facts.optimizers[o].label,
            ...names.map((name) => settings[name]?.[h]),
            cost,
          ]);
        }),
      };
    },
    command() {
      if (asked !== SHARED_TARGET) return null;
      const problem = labelsAt(facts.problems, [selection.problem]);
      const optimizer = labelsAt(facts.optimizers, selection.optimizers);
      return plotCommand(facts, "sensitivity", { problem, optimizer });
    },
  };
}

function targetMenu(data, chosen) {
  const fractions = [...new Set(data.targets.flat())].filter((t) => t > 0).sort((a, b) => b - a);
  const options = [
    [SHARED_TARGET, "hardest that most optimizers reach"],
    ...fractions.map((fraction) => [fraction, power(fraction)]),
  ];
  return menu("Target", options, SHARED_TARGET, (value) =>
    chosen(value === SHARED_TARGET ? value : Number(value)),
  );
}

function sensitivityDrawing(facts, lines, target, fraction) {
  const { label, smoothness, merit } = facts.problems[selection.problem];
  const aim = merit === "escape" ? "escape" : power(fraction);
  const stripped = lines.filter(({ rates }) => rates.length);
  const strip = Math.min(14 + STRIP_ROW * stripped.length, STRIP_MOST);
  const height = 420 + strip;
  const split = 1 - strip / (height - 70);
  const rates = lines.flatMap((line) => line.rates).filter((rate) => rate > 0);
  const costs = lines.flatMap((line) => [line.best, ...line.costs]).filter(Number.isFinite);
  const across = marginsOf(rates);
  const told = lines.map((line) => `${facts.optimizers[line.o].label}: ${basinFact(line)}`);
  const edges = stabilityEdges(facts, lines, smoothness, rates);
  return {
    traces: [
      ...lines.map((line) => sensitivityTrace(facts, line, across, aim)),
      ...stripped.map((line, row) => failureTrace(facts, line, row, aim)),
    ],
    layout: layoutOf({
      margin: { l: 80, r: 18, t: 14, b: 60, autoexpand: false },
      xaxis: spanAxis("learning rate", ...across, FIXED_LABELS),
      yaxis: spanAxis(`expected cost to ${aim} (gradients)`, ...marginsOf(costs), {
        ...FIXED_LABELS,
        domain: [0, split - 0.02],
      }),
      yaxis2: {
        ...axis({ title: { text: "not<br>reached" }, showgrid: false, zeroline: false }),
        ...FIXED_LABELS,
        domain: [split, 1],
        range: [stripped.length - 0.4, -0.6],
        showticklabels: false,
        ticks: "",
      },
      shapes: [stripShape(split), ...edges.map(edgeShape)],
      annotations: edges.slice(0, NAMED_EDGES).map((edge, index) => edgeNote(edge, index, split)),
    }),
    height,
    note: listed(told, "; "),
    alt: `Expected cost to ${aim} on ${label} against the learning rate. ${told.join("; ")}`,
  };
}

function basinFact({ best, isAlone, basin, rates }) {
  if (!Number.isFinite(best)) return "not reached";
  if (!isAlone) return `${number(best)} at best, other settings change too`;
  if (!rates.length) return `${number(best)}, no learning rate swept`;
  return basin === null
    ? `${number(best)} at best`
    : `${number(best)} at best, basin of ${number(basin)} decades`;
}

function marginsOf(values) {
  if (!values.length) return [1, 10];
  return [Math.min(...values) / 1.5, Math.max(...values) * 1.5];
}

function sensitivityTrace(facts, line, across, aim) {
  const optimizer = facts.optimizers[line.o];
  const look = lookOf(optimizer);
  const name = wrapped(optimizer.label, 40);
  if (!line.rates.length) {
    const reached = Number.isFinite(line.best) ? line.best : null;
    return {
      type: "scatter",
      mode: "lines",
      ...look,
      x: across,
      y: [reached, reached],
      text: Array(2).fill(`${name}<br>${number(line.best)} to ${aim}, no learning rate swept`),
      hoverinfo: "text",
    };
  }
  return {
    type: "scatter",
    mode: line.isAlone ? "lines+markers" : "markers",
    ...look,
    x: line.rates,
    y: line.costs.map((cost) => (Number.isFinite(cost) ? cost : null)),
    text: line.order.map((h, i) => `${name}<br>${triedText(line, h)}<br>` +
      `${number(line.costs[i])} to ${aim}`),
    hoverinfo: "text",
  };
}

function triedText({ pair }, h) {
  const told = Object.entries(pair.settings).map(
    ([name, values]) => `${plain(name.replaceAll("_", " "))} ${number(values[h])}`,
  );
  const edge = pair.edges ? `, unstable from ${number(pair.edges[h])}` : "";
  return told.join(", ") + edge;
}

function failureTrace(facts, line, row, aim) {
  const optimizer = facts.optimizers[line.o];
  const failed = range(line.rates.length).filter((i) => !Number.isFinite(line.costs[i]));
  const name = wrapped(optimizer.label, 40);
  return {
    type: "scatter",
    mode: "markers",
    ...lookOf(optimizer),
    yaxis: "y2",
    x: failed.map((i) => line.rates[i]),
    y: failed.map(() => row),
    text: failed.map((i) => `${name}<br>${triedText(line, line.order[i])}<br>never to ${aim}`),
    hoverinfo: "text",
  };
}

// 2 / L, and 2 (1 + beta) / L at the cheapest setting of every heavy ball that is shown.
function stabilityEdges(facts, lines, smoothness, rates) {
  if (!smoothness || !rates.length) return [];
  const near = ({ rate }) => rate >= Math.min(...rates) / 10 && rate <= Math.max(...rates) * 10;
  const heavy = lines.filter(({ pair }) => pair.edges).map((line) => {
    const cheapest = line.order[line.costs.indexOf(line.best)] ?? line.order[0];
    const optimizer = facts.optimizers[line.o];
    const rate = line.pair.edges[cheapest];
    const beta = number((rate * smoothness) / 2 - 1);
    const said = `2(1+β)/L = ${number(rate)}, β = ${beta}`;
    return { rate, said, color: colorOf(optimizer) };
  });
  const plainEdge = { rate: 2 / smoothness, said: `2/L = ${number(2 / smoothness)}` };
  return [{ ...plainEdge, color: ink("ink") }, ...heavy].filter(near);
}

const edgeShape = ({ rate, color }) => {
  const shape = verticalLine(rate);
  return { ...shape, line: { ...shape.line, color } };
};

const stripShape = (split) => ({
  type: "rect",
  xref: "paper",
  yref: "paper",
  x0: 0,
  x1: 1,
  y0: split,
  y1: 1,
  fillcolor: ink("bad"),
  line: { width: 0 },
  layer: "below",
});

const edgeNote = ({ rate, said, color }, index, split) => ({
  x: Math.log10(rate),
  y: (split - 0.02) * (index === 2 ? 0.02 : 0.98),
  yref: "paper",
  yanchor: index === 2 ? "bottom" : "top",
  xanchor: index ? "left" : "right",
  textangle: -90,
  text: said,
  showarrow: false,
  font: { color, size: 13 },
});
