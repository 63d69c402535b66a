// What is compared: costs by problem and optimizer at the chosen target and in the chosen unit, of
// the problems on which all optimizers that are shown have run.

const STATES = ["finished", "failed", "not applicable", "unfinished"];
const NAMED_AT_MOST = 8;

function comparedCosts(data, facts) {
  const medians = new Map();
  const draws = new Map();

  // [S, K] hits and [S] spent of a pair, or null where it has none.
  function pair(unit, p, o) {
    const runs = at(data.runs, p, o);
    if (!runs) return null;
    const { hits, spent, step } = data.costs[unit];
    if (!step) return { runs, hits: at(hits, p, o), spent: at(spent, p, o) };
    const seconds = at(step, p, o);
    const { hits: counts, spent: all } = data.costs.steps;
    const times = at(counts, p, o).map((count) => count * seconds);
    times.shape = counts.shape.slice(2);
    return { runs, hits: times, spent: at(all, p, o).map((count) => count * seconds) };
  }

  // [P][O] median cost over seeds, infinite where half of them or more fail; NaN where none ran.
  function all(unit, target) {
    const key = `${unit} ${target}`;
    if (!medians.has(key)) {
      const of = (p, o) => {
        const found = pair(unit, p, o);
        if (!found) return NaN;
        const k = Math.min(at(data.indices, p, target), at(data.reach, p, o) - 1);
        const costs = range(found.runs).map((run) => profiles.asCost(at(found.hits, run, k)));
        return profiles.median(costs);
      };
      const grid = facts.problems.map((_, p) => facts.optimizers.map((_, o) => of(p, o)));
      medians.set(key, grid);
    }
    return medians.get(key);
  }

  // [N] runtimes of all restarted draws in a unit.
  function runtimes(unit) {
    if (!draws.has(unit)) draws.set(unit, restarted(unit));
    return draws.get(unit);
  }

  function restarted(unit) {
    const { times, counts, starts } = data.restarts;
    const found = new Float64Array(counts.length);
    const ends = [...starts.subarray(1), counts.length];
    const [problems, optimizers, most] = starts.shape;
    for (const p of range(problems)) {
      for (const o of range(optimizers)) {
        const own = pair(unit, p, o);
        for (const k of own ? range(at(data.reach, p, o)) : []) {
          const place = (p * optimizers + o) * most + k;
          const rows = range(ends[place] - starts[place]).map((n) => at(times, starts[place] + n));
          const hits = range(own.runs).map((run) => at(own.hits, run, k));
          found.set(profiles.runtimes(rows, hits, own.spent), starts[place]);
        }
      }
    }
    return found;
  }

  const isKnown = (unit, p, o) => {
    const state = STATES[at(data.states, p, o)];
    if (state === "failed") return !facts.problems[p].failure;
    return at(data.runs, p, o) > 0 && (unit !== "seconds" || at(data.costs.seconds.step, p, o) > 0);
  };
  const ranSomewhere = facts.optimizers.map((_, o) =>
    facts.problems.some((_, p) => at(data.runs, p, o)),
  );

  // The optimizers shown that have run somewhere, with others that must count, and the problems
  // shown on which all of them have run.
  function field(others = []) {
    const shown = selection.optimizers.filter((o) => ranSomewhere[o]);
    const nowhere = selection.optimizers.filter((o) => !ranSomewhere[o]);
    const optimizers = [...new Set([...shown, ...others])].sort((a, b) => a - b);
    const known = (p) => optimizers.every((o) => isKnown(selection.unit, p, o));
    const problems = selection.problems.filter(known);
    const dropped = selection.problems.filter((p) => !known(p));
    return { optimizers, problems, dropped, nowhere };
  }

  // [P][O] median costs of a field; a pair that crashed never reaches the target.
  function costs({ problems, optimizers }) {
    const grid = all(selection.unit, selection.target);
    return problems.map((p) => optimizers.map((o) => profiles.asCost(grid[p][o])));
  }

  function why(p, optimizers) {
    return optimizers
      .filter((o) => !isKnown(selection.unit, p, o))
      .map((o) => [o, whyNot(data, p, o)]);
  }

  return { data, facts, all, costs, field, isKnown, pair, runtimes, why };
}

function whyNot(data, p, o) {
  const state = STATES[at(data.states, p, o)];
  return { finished: "not timed", unfinished: "not run", failed: "not built" }[state] || state;
}

const listed = (names, between = ", ") =>
  names.length > NAMED_AT_MOST
    ? `${names.slice(0, NAMED_AT_MOST).join(between)} and ${names.length - NAMED_AT_MOST} more`
    : names.join(between);

// Which problems count, and why the others do not; all that have not run are named.
function countedNote(costs, field) {
  const { problems, optimizers } = costs.facts;
  const total = field.problems.length + field.dropped.length;
  const reasons = new Map();
  for (const p of field.dropped) {
    for (const [o, why] of costs.why(p, field.optimizers)) {
      const key = `${optimizers[o].label} is ${why} on `;
      reasons.set(key, [...(reasons.get(key) || []), problems[p].label]);
    }
  }
  const nowhere = field.nowhere.map((o) => `${optimizers[o].label} has finished on no problem`);
  const said = [...reasons].map(([key, names]) => `${key}${listed(names)}`);
  const isHole = (text) => text.includes(" is not run on ");
  const holes = said.filter(isHole);
  const others = said.filter((text) => !isHole(text));
  const apart = [...nowhere, ...holes, ...(others.length ? [listed(others, "; ")] : [])].join("; ");
  return (
    `${field.problems.length} of ${total} problems shown count, those on which all ` +
    `${field.optimizers.length} optimizers compared have run${apart ? `: ${apart}` : ""}.`
  );
}

const costUnit = (costs) => costs.data.units[selection.unit];
const costTitle = (costs) => `cost to ${targetName(costs)} (${costUnit(costs)})`;
const targetName = (costs) => power(costs.data.targets[selection.target]);

// The command of a twin on paper, which counts gradients to the target of the study alone.
function comparisonCommand(costs, figure, compared = selection.optimizers) {
  const { facts, data } = costs;
  if (selection.unit !== "gradients" || selection.target !== data.target) return null;
  const optimizer = labelsAt(facts.optimizers, compared);
  return plotCommand(facts, figure, { problem: namedProblems(facts), optimizer });
}

// The menus of all figures that compare: they change what every one of them shows.
function comparisonMenus(costs) {
  const { data, facts } = costs;
  const chosen = (key, read) => (value) => choose({ [key]: read(value) });
  choose({ target: data.target, unit: "gradients", reference: data.reference });
  const targets = data.targets.map((target, index) => [index, power(target)]);
  const labels = facts.optimizers.map((optimizer, index) => [index, optimizer.label]);
  return element(
    "div",
    { class: "bar", role: "group", "aria-label": "What is compared" },
    menu("Target", targets, data.target, chosen("target", Number)),
    menu("Cost in", Object.entries(data.units), "gradients", chosen("unit", String)),
    menu("Reference", labels, data.reference, chosen("reference", Number)),
  );
}
