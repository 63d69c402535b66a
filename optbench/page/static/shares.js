// Shares of problems, or of all (problem, target, run), that each optimizer shown solves.

const WIDEST_RATIO = 1024; // where the axis of a profile ends
const PAIR_RATIO = 64; // where that of a pair does, on both sides
const BEYOND = 1.15; // a line goes on beyond its last step by this factor
const RUNTIME_BUDGETS = 100; // at which a distribution of runtimes is known
const RESTARTED_UP_TO = 10; // times the most that a run spends

const NARROW = 700; // pixels of a window that has room for short labels alone

const isNarrow = () => innerWidth < NARROW;
const percent = (share) => `${Number((100 * share).toFixed(1))}%`;

// A share as it is drawn from one x to another: its height at the left, its steps, its right end.
function clippedSteps({ x, y }, left, end) {
  const before = x.filter((value) => value <= left).length;
  const inside = range(x.length).filter((i) => x[i] > left && x[i] < end);
  const last = x.filter((value) => value <= end).length;
  return {
    x: [left, ...inside.map((i) => x[i]), end],
    y: [before ? y[before - 1] : 0, ...inside.map((i) => y[i]), last ? y[last - 1] : 0],
  };
}

function shareTrace(costs, o, drawn, said) {
  const optimizer = costs.facts.optimizers[o];
  const look = lookOf(optimizer);
  const name = wrapped(optimizer.label, 40);
  return {
    type: "scatter",
    mode: "lines+markers",
    name: plain(optimizer.label),
    meta: o,
    ...drawn,
    line: { ...look.line, shape: "hv" },
    marker: { ...look.marker, maxdisplayed: 5 },
    text: drawn.x.map((x, i) => `${name}<br>${said(drawn.y[i], x)}`),
    hoverinfo: "text",
  };
}

// Labels whose room is known: measuring them takes most of the time of a drawing.
const FIXED_LABELS = { automargin: false, ticklabeloverflow: "allow" };
const SHARE_LINE = 22; // pixels of a line of an axis title

const shareAxis = (title) => ({
  ...axis({ title, range: [-0.02, 1.02], tickformat: ".0%", zeroline: false, dtick: 0.25 }),
  ...FIXED_LABELS,
});

function shareLayout({ xaxis, ...more }) {
  const lines = xaxis.title.text.split("<br>").length;
  return layoutOf({
    margin: { l: 80, r: 18, t: 14, b: 42 + SHARE_LINE * lines, autoexpand: false },
    xaxis: { ...xaxis, ...FIXED_LABELS },
    ...more,
  });
}

// An axis of ratios whose ticks are powers of two.
function ratioAxis(title, low, high) {
  const every = Math.log2(high / low) > 11 ? 2 : 1;
  const first = every * Math.ceil(Math.log2(low) / every);
  const count = Math.floor((Math.log2(high) - first) / every) + 1;
  const powers = range(Math.max(count, 1)).map((index) => first + every * index);
  return axis({
    type: "log",
    title,
    range: [Math.log10(low), Math.log10(high)],
    tickvals: powers.map((exponent) => 2 ** exponent),
    ticktext: powers.map((exponent) => (exponent < 0 ? `1/${2 ** -exponent}` : `${2 ** exponent}`)),
  });
}

// A logarithmic axis from one value to another, with ticks at 2 and 5 where decades are few.
function spanAxis(title, low, high, more = {}) {
  const decades = Math.log10(high / low);
  const ticks = decades < 2 ? roundTicks(low, high) : { dtick: Math.ceil(decades / 10) };
  return logAxis({ title, range: [Math.log10(low), Math.log10(high)], ...ticks, ...more });
}

// What there is nothing to compare for, or null.
function nothingCompared(costs, field) {
  if (!field.optimizers.length) return "No optimizer that has finished anywhere is shown.";
  if (!field.problems.length) return countedNote(costs, field);
  if (!profiles.areCosts(costs.costs(field))) return "A cost that is not positive has no ratio.";
  return null;
}

// A figure of shares: `curves` gives, per optimizer of a field, what is drawn.
function shareFigure(costs, spec) {
  const fieldOf = () => costs.field(spec.others ? spec.others() : []);
  function draw() {
    const field = fieldOf();
    const nothing = nothingCompared(costs, field);
    if (nothing) return { empty: nothing };
    const { curves, layout } = spec.curves(field);
    return {
      traces: [...curves].map(([o, drawn]) => shareTrace(costs, o, drawn, spec.said)),
      layout: shareLayout(layout),
      height: 460,
      note: countedNote(costs, field),
      alt: spec.alt(field, curves),
    };
  }
  function table() {
    const field = fieldOf();
    if (nothingCompared(costs, field)) return { columns: ["optimizer", "x", "share"], rows: [] };
    const rows = [...spec.curves(field).curves].flatMap(([o, { x, y }]) =>
      x.map((value, i) => [costs.facts.optimizers[o].label, value, y[i]]),
    );
    return { columns: ["optimizer", "x", "share"], rows };
  }
  const legend = shownOptimizers(costs.facts);
  return { depends: ["optimizers", "problems", "target", "unit"], draw, table, legend, ...spec };
}

const curvesOf = (field, compute) =>
  new Map(field.optimizers.map((o, index) => [o, compute(o, index)]));

function sentenceOf(costs, curves, about) {
  const { optimizers } = costs.facts;
  const ends = [...curves].map(([o, { y }]) => `${optimizers[o].label} ${percent(y.at(-1))}`);
  return `${about}; at its right end: ${ends.join(", ")}.`;
}

function performanceFigure(costs) {
  return shareFigure(costs, {
    id: "profile",
    title: "Performance profile",
    read:
      "the left end of a line is the share of problems on which an optimizer is the cheapest of " +
      "those shown, its height at 4 the share solved within four times the least cost, its right " +
      "end all that it solves. It ranks each against the best of those shown alone: with one " +
      "more or one less, the others may change places (Gould & Scott, 2016); take the pairwise " +
      "profiles to compare two.",
    curves(field) {
      const ratios = profiles.ratiosToBest(costs.costs(field));
      const largest = Math.max(...ratios.flat().filter(Number.isFinite), 1);
      const end = largest > 1 ? Math.min(largest * BEYOND, WIDEST_RATIO) : 2;
      return {
        curves: curvesOf(field, (_, s) =>
          clippedSteps(profiles.steps(profiles.column(ratios, s)), 1, end),
        ),
        layout: {
          xaxis: ratioAxis(
            `${costTitle(costs)},${isNarrow() ? "<br>" : " "}over that of the best shown`,
            1,
            end,
          ),
          yaxis: shareAxis("share of problems"),
        },
      };
    },
    said: (share, x) => `${percent(share)} of problems within ${number(x)} times the best`,
    alt: (_, curves) =>
      sentenceOf(costs, curves, "Share of problems solved within a ratio of the least cost"),
    command: () => comparisonCommand(costs, "profile", costs.field().optimizers),
  });
}

function dataProfileFigure(costs) {
  return shareFigure(costs, {
    id: "data-profile",
    title: "Data profile",
    read:
      "the share of problems that an optimizer solves within a cost; higher and further left is " +
      "better. No line depends on the others, but dear problems count late.",
    curves(field) {
      const values = costs.costs(field);
      const known = values.flat().filter(Number.isFinite);
      const low = Math.min(...known, known.length ? Infinity : 1) / BEYOND;
      const high = Math.max(...known, known.length ? 0 : 10) * BEYOND;
      return {
        curves: curvesOf(field, (_, s) =>
          clippedSteps(profiles.steps(profiles.column(values, s)), low, high),
        ),
        layout: {
          xaxis: spanAxis(costTitle(costs), low, high),
          yaxis: shareAxis("share of problems solved"),
        },
      };
    },
    said: (share, x) => `solves ${percent(share)} of problems for ${number(x)} ${costUnit(costs)}`,
    alt: (_, curves) => sentenceOf(costs, curves, "Share of problems solved within a cost"),
    command: () => comparisonCommand(costs, "data-profile", costs.field().optimizers),
  });
}

function pairwiseFigure(costs) {
  const label = () => costs.facts.optimizers[selection.reference].label;
  const command = (name) =>
    comparisonCommand(costs, name, costs.field([selection.reference]).optimizers);
  const figure = shareFigure(costs, {
    id: "pairwise-profile",
    title: "Pairwise profiles",
    depends: ["optimizers", "problems", "target", "unit", "reference"],
    others: () => [selection.reference],
    legend: () =>
      shownOptimizers(costs.facts)().filter(({ label: other }) => other !== label()),
    read:
      "the share of problems that an optimizer solves within a ratio of the cost of the " +
      "reference; left of the dotted line it is cheaper, and over one half at that line it is " +
      "mostly no dearer. A third optimizer changes no line but by the problems that count.",
    curves(field) {
      const values = costs.costs(field);
      const against = profiles.column(values, field.optimizers.indexOf(selection.reference));
      const pair = (s) => profiles.pairRatios(profiles.column(values, s), against);
      const curves = curvesOf(field, (_, s) =>
        clippedSteps(profiles.steps(pair(s)), 1 / PAIR_RATIO, PAIR_RATIO),
      );
      curves.delete(selection.reference);
      return {
        curves,
        layout: {
          xaxis: ratioAxis(`cost over that of ${wrapped(label(), isNarrow() ? 20 : 50)}`, 1 / PAIR_RATIO, PAIR_RATIO),
          yaxis: shareAxis("share of problems"),
          shapes: [verticalLine(1)],
        },
      };
    },
    said: (share, x) =>
      `solves ${percent(share)} of problems within ${number(x)} times the cost of ` +
      wrapped(label(), 40),
    alt: (_, curves) =>
      sentenceOf(costs, curves, `Share of problems within a ratio of the cost of ${label()}`),
    command: () =>
      selection.reference === costs.data.reference ? command("pairwise-profile") : null,
  });
  return figure;
}

const verticalLine = (x) => ({
  type: "line",
  xref: "x",
  yref: "paper",
  x0: x,
  x1: x,
  y0: 0,
  y1: 1,
  line: { color: ink("muted"), width: 1.5, dash: "dot" },
});

function runtimeFigure(costs) {
  const { data } = costs;
  return shareFigure(costs, {
    id: "ecdf",
    title: "Distribution of runtimes",
    depends: ["optimizers", "problems", "unit"],
    read:
      "the share of all problems, all their targets and all runs that are done within a cost, " +
      "where a run that fails is started again until one succeeds (simulated restarts, Hansen et " +
      "al., 2016); left of the dotted line, the budget of a run, no restart helps. Settings are " +
      `tuned for the target ${power(data.targets[data.target])} alone.`,
    curves(field) {
      const budgets = runtimeBudgets(costs, field);
      const found = costs.runtimes(selection.unit);
      const [low, high] = [budgets[0], budgets.at(-1)];
      const isBudget = selection.unit === "gradients" && costs.facts.budget;
      return {
        curves: curvesOf(field, (o) => {
          const y = runtimeShares(costs, field, o, found, budgets);
          const changes = range(y.length).filter((i) => y[i] !== (y[i - 1] ?? 0));
          const drawn = { x: changes.map((i) => budgets[i]), y: changes.map((i) => y[i]) };
          return clippedSteps(drawn, low, high);
        }),
        layout: {
          xaxis: spanAxis(`cost (${costUnit(costs)})`, low, high),
          yaxis: shareAxis("share of (problem, target, run)"),
          shapes: isBudget ? [verticalLine(costs.facts.budget)] : [],
        },
      };
    },
    said: (share, x) => `${percent(share)} done within ${number(x)} ${costUnit(costs)}`,
    sharesWithin(budgets) {
      const field = costs.field();
      const found = costs.runtimes(selection.unit);
      return field.optimizers.map((o) => runtimeShares(costs, field, o, found, budgets));
    },
    alt: (_, curves) =>
      sentenceOf(costs, curves, "Share of (problem, target, run) done within a cost"),
    command: () => comparisonCommand(costs, "ecdf", costs.field().optimizers),
  });
}

// Budgets from the least cost to any target to ten times the most that a run spends, evenly in log.
function runtimeBudgets(costs, { problems, optimizers }) {
  let low = Infinity;
  let most = 0;
  for (const p of problems) {
    for (const o of optimizers) {
      const own = costs.pair(selection.unit, p, o);
      if (!own) continue;
      for (const hit of own.hits) if (hit < low) low = hit;
      for (const spent of own.spent) if (spent > most) most = spent;
    }
  }
  const high = RESTARTED_UP_TO * (most || 1);
  if (!Number.isFinite(low)) low = most || 1;
  const ratio = Math.log(high / low) / (RUNTIME_BUDGETS - 1);
  const inner = range(RUNTIME_BUDGETS - 2).map((i) => low * Math.exp(ratio * (i + 1)));
  return [low, ...inner, high];
}

// [B] share of the triples of one optimizer within each budget; a pair that crashed reaches none.
function runtimeShares(costs, { problems, optimizers }, o, found, budgets) {
  const { restarts, reach } = costs.data;
  const [, width, most] = restarts.starts.shape;
  const values = [];
  const counts = [];
  let targets = 0;
  for (const p of problems) {
    targets += Math.max(...optimizers.map((other) => at(reach, p, other))) || 1;
    const place = (p * width + o) * most;
    const end = restarts.starts[place + most] ?? restarts.counts.length;
    for (let row = restarts.starts[place]; row < end; row += 1) {
      values.push(found[row]);
      counts.push(restarts.counts[row]);
    }
  }
  return profiles.ecdf(values, counts, targets * restarts.draws, budgets);
}
