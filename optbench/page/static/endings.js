// How the runs of each optimizer end, over the problems that are shown.

const ENDING_LOOKS = {
  // color on white, color on black, pattern: each ending differs in both
  "reached target": ["#009E73", "#2FC79A", ""],
  "budget exhausted": ["#B5BAC0", "#6A737D", "/"],
  stalled: ["#E69F00", "#F2B33D", "\\"],
  diverged: ["#D55E00", "#F07B3F", "x"],
  "non-finite": ["#CC79A7", "#E39AC4", "."],
  crashed: ["#000000", "#F2F2F2", "+"],
  interrupted: ["#56B4E9", "#9AD7FF", "-"],
};
const BAR_HEIGHT = 30; // pixels

const keyHeight = () => (isNarrow() ? 170 : 46); // of the names of endings above the bars
const letters = (line) => line.length;

// [O'][E] counts over the problems shown, and [O'] runs that reach the target looked at.
function countedEndings({ data, pair }) {
  const { counts } = data.endings;
  return selection.optimizers.map((o) => {
    const sums = data.endings.kinds.map((_, kind) =>
      selection.problems.reduce((sum, p) => sum + at(counts, p, o, kind), 0),
    );
    const reached = selection.problems.reduce((sum, p) => {
      const own = pair("gradients", p, o);
      if (!own) return sum;
      const k = Math.min(at(data.indices, p, selection.target), at(data.reach, p, o) - 1);
      return sum + range(own.runs).filter((run) => Number.isFinite(at(own.hits, run, k))).length;
    }, 0);
    return { o, sums, reached, total: sums.reduce((sum, count) => sum + count, 0) };
  });
}

function endingsFigure(costs) {
  const { facts, data } = costs;
  const { kinds } = data.endings;
  return {
    id: "failures",
    title: "How runs end",
    read:
      "each bar holds all runs of an optimizer on the problems shown, at its tuned setting, by " +
      "how they end; “reached target” is the hardest target of the study. The diamond is the " +
      "share that reaches the target looked at, however the run ends later. A pair that crashed " +
      "counts as a crash of every seed, one that is not applicable or has not run not at all.",
    depends: ["optimizers", "problems", "target"],
    draw() {
      const bars = countedEndings(costs).filter(({ total }) => total);
      if (!bars.length) return { empty: "No run of the optimizers shown is among these problems." };
      const names = bars.map(({ o }) => wrapped(facts.optimizers[o].label, isNarrow() ? 16 : 30));
      return {
        traces: [
          ...kinds.flatMap((kind, index) => endingTrace(bars, names, kind, index)),
          reachedTrace(costs, bars, names),
        ],
        layout: endingsLayout(bars, names),
        height: keyHeight() + 70 + BAR_HEIGHT * bars.length + 14 * extraLines(names),
        alt: endingsAlt(facts, kinds, bars),
      };
    },
    table: () => ({
      columns: ["optimizer", ...kinds, `reaching ${targetName(costs)}`],
      rows: countedEndings(costs).map(({ o, sums, reached }) => [
        facts.optimizers[o].label,
        ...sums,
        reached,
      ]),
    }),
    command: () => (selection.target === data.target ? comparisonCommand(costs, "failures") : null),
  };
}

function endingTrace(bars, names, kind, index) {
  if (!bars.some(({ sums }) => sums[index])) return [];
  const [light, dark, shape] = ENDING_LOOKS[kind];
  const color = isDark() ? dark : light;
  return [
    {
      type: "bar",
      orientation: "h",
      name: kind,
      x: bars.map(({ sums, total }) => sums[index] / total),
      y: range(bars.length),
      marker: {
        color,
        pattern: { shape, fgcolor: ink("paper"), size: 7, solidity: 0.35, fillmode: "overlay" },
        line: { color: ink("paper"), width: 1 },
      },
      text: bars.map(
        ({ sums, total }, i) => `${names[i]}<br>${kind}: ${sums[index]} of ${total} runs`,
      ),
      textposition: "none",
      hoverinfo: "text",
    },
  ];
}

function reachedTrace(costs, bars, names) {
  const target = targetName(costs);
  return {
    type: "scatter",
    mode: "markers",
    name: `reaches ${target}`,
    x: bars.map(({ reached, total }) => reached / total),
    y: range(bars.length),
    marker: {
      symbol: "diamond",
      size: 11,
      color: ink("ink"),
      line: { color: ink("paper"), width: 1.5 },
    },
    text: bars.map(
      ({ reached, total }, i) => `${names[i]}<br>${reached} of ${total} runs reach ${target}`,
    ),
    hoverinfo: "text",
  };
}

const extraLines = (names) => names.reduce((sum, name) => sum + name.split("<br>").length - 1, 0);

const endingsLayout = (bars, names) =>
  layoutOf({
    barmode: "stack",
    bargap: 0.3,
    showlegend: true,
    legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", traceorder: "normal" },
    margin: {
      l: 24 + LETTER * Math.max(...names.flatMap((name) => name.split("<br>")).map(letters)),
      r: 30,
      t: keyHeight(),
      b: 56,
      autoexpand: false,
    },
    xaxis: {
      ...FIXED_LABELS,
      title: "share of runs",
      range: [0, 1.01],
      tickformat: ".0%",
      zeroline: false,
    },
    yaxis: {
      ...FIXED_LABELS,
      tickvals: range(bars.length),
      ticktext: names,
      range: [bars.length - 0.5, -0.5],
      showgrid: false,
      zeroline: false,
    },
  });

function endingsAlt(facts, kinds, bars) {
  const said = bars.map(({ o, sums }) => {
    const counts = kinds.flatMap((kind, i) => (sums[i] ? [`${sums[i]} ${kind}`] : []));
    return `${facts.optimizers[o].label}: ${counts.join(", ")}`;
  });
  return `How runs end. ${said.join("; ")}.`;
}
