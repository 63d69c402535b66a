// What the best of k trials is expected to cost, over all problems, and the section it is part of.

const CENSORED = 10; // a failure counts as this many budgets

SECTIONS.push([
  "tuning",
  "Tuning",
  (host, data, facts) => {
    addFigure(host, sensitivityFigure(data, facts));
    addFigure(host, tunabilityFigure(data, facts));
  },
]);

// What a failure of a trial counts as: ten budgets, or ten times the most that was spent.
function failureCost(data, facts, p, optimizers) {
  if (facts.budget !== null) return CENSORED * facts.budget;
  return CENSORED * Math.max(...optimizers.map((o) => at(data.spent, p, o) || 0));
}

// Optimizer -> [n] expected cost of the best of k trials, over the best of all, in geometric mean
// over the problems that some optimizer shown solves: those that have run on all of these alone.
function tunabilityCurves(data, facts) {
  const { problems, optimizers } = selection;
  const trialsOf = (p, o) => [...at(data.trials, p, o).subarray(0, at(data.numTrials, p, o))];
  const logs = new Map(optimizers.map((o) => [o, []]));
  let solved = 0;
  for (const p of problems) {
    const failure = failureCost(data, facts, p, optimizers);
    const costs = optimizers.map((o) => trialsOf(p, o).map((cost) => Math.min(cost, failure)));
    const least = profiles.least(costs.flat());
    if (!(least < failure)) continue;
    solved += 1;
    optimizers.forEach((o, index) => {
      if (!costs[index].length) return;
      const best = profiles.expectedBestOfK(costs[index]);
      logs.get(o).push(best.map((cost) => Math.log(cost / least)));
    });
  }
  const complete = [...logs].filter(([, curves]) => curves.length && curves.length === solved);
  const left = [...logs].filter(([, curves]) => curves.length < solved);
  const mean = (curves) =>
    curves[0].map((_, k) =>
      Math.exp(curves.reduce((sum, curve) => sum + curve[k], 0) / curves.length),
    );
  return {
    solved,
    curves: new Map(complete.map(([o, curves]) => [o, mean(curves)])),
    left: left.map(([o, curves]) => `${facts.optimizers[o].label} (${curves.length})`),
  };
}

function tunabilityFigure(data, facts) {
  const label = (o) => facts.optimizers[o].label;
  return {
    id: "tunability",
    title: "Tunability",
    read:
      "low on the left needs little tuning, low on the right is good once tuned: the expected " +
      "cost of the best of k trials over that of the best trial of all optimizers shown, " +
      "geometric mean over problems; a trial that fails counts as ten budgets.",
    depends: ["optimizers", "problems"],
    legend: shownOptimizers(facts),
    draw() {
      const { curves, solved, left } = tunabilityCurves(data, facts);
      if (!curves.size) return { empty: "No optimizer shown has run on all problems solved." };
      const most = Math.max(...[...curves.values()].map((curve) => curve.length));
      const apart = left.length ? `; left out, as not run on all of them: ${listed(left)}` : "";
      return {
        traces: [...curves].map(([o, curve]) => tunabilityTrace(facts.optimizers[o], o, curve, most)),
        layout: layoutOf({
          margin: { l: 100, r: 18, t: 14, b: 60, autoexpand: false },
          xaxis: { ...ratioAxis("trials k", 1, Math.max(most, 2) * 1.05), ...FIXED_LABELS },
          yaxis: spanAxis(
            "expected cost of the best of k,<br>over the best of all",
            ...marginsOf([...curves.values()].flat()),
            FIXED_LABELS,
          ),
        }),
        note: `Over the ${solved} of ${selection.problems.length} problems shown that some ` +
          `optimizer shown solves, to ${power(facts.target)}${apart}.`,
        alt: `Expected cost of the best of k trials; after all: ${[...curves]
          .map(([o, curve]) => `${label(o)} ${number(curve.at(-1))}`)
          .join(", ")}.`,
      };
    },
    table: () => ({
      columns: ["optimizer", "k", "expected cost over the best"],
      rows: [...tunabilityCurves(data, facts).curves].flatMap(([o, curve]) =>
        curve.map((value, index) => [label(o), index + 1, value]),
      ),
    }),
    command() {
      const optimizer = labelsAt(facts.optimizers, selection.optimizers);
      return plotCommand(facts, "tunability", { problem: namedProblems(facts), optimizer });
    },
  };
}

function tunabilityTrace(optimizer, o, curve, most) {
  const look = lookOf(optimizer);
  const x = curve.length > 1 ? curve.map((_, index) => index + 1) : [1, most];
  const y = curve.length > 1 ? curve : [curve[0], curve[0]];
  const trials = (k) => (curve.length > 1 ? `best of ${k}` : "nothing to tune");
  return {
    type: "scatter",
    mode: "lines+markers",
    name: plain(optimizer.label),
    meta: o,
    ...look,
    marker: { ...look.marker, maxdisplayed: 6 },
    x,
    y,
    text: x.map((k, i) => `${wrapped(optimizer.label, 40)}<br>${number(y[i])} (${trials(k)})`),
    hoverinfo: "text",
  };
}
