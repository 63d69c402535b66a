// Costs over many problems at once: the formulas of optbench/profiles.py and optbench/metrics.py.
// Costs are rows by problem, and infinite where a solver fails; nothing here knows of the page.

const profiles = (() => {
  const ascending = (values) => Float64Array.from(values).sort();

  const asCost = (cost) => (Number.isNaN(cost) ? Infinity : cost);

  // The median as NumPy has it: of an even number, the mean of the middle two.
  function median(values) {
    const sorted = ascending(values);
    const middle = sorted.length >> 1;
    if (sorted.length % 2) return sorted[middle];
    return (sorted[middle - 1] + sorted[middle]) / 2;
  }

  const column = (rows, index) => rows.map((row) => row[index]);
  const columns = (rows, compute) => (rows[0] || []).map((_, index) => compute(column(rows, index)));
  const least = (values) => values.reduce((found, value) => (value < found ? value : found), Infinity);
  const areCosts = (costs) => costs.every((row) => row.every((cost) => cost > 0));

  // How many of ascending values are at most a limit.
  function within(sorted, limit) {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle] <= limit) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // r[p,s] = t[p,s] / min_s t[p,s], infinite where unsolved.
  const ratiosToBest = (costs) =>
    costs.map((row) => {
      const best = least(row);
      return row.map((cost) => (Number.isFinite(cost) ? cost / best : Infinity));
    });

  function shares(values, limits) {
    const sorted = ascending(values.filter(Number.isFinite));
    return limits.map((limit) => within(sorted, limit) / values.length);
  }

  // [S][R] share of problems within each ratio of the best: Dolan & More (2002).
  const performanceProfile = (costs, ratios) =>
    columns(ratiosToBest(costs), (values) => shares(values, ratios));

  // [S] the profile integrated over [1, r_max], over its width: Dahl et al. (2023).
  const profileScore = (costs, largest = 4) =>
    columns(ratiosToBest(costs), (ratios) => {
      const reach = ratios.map((ratio) => Math.max(0, largest - ratio));
      return reach.reduce((sum, one) => sum + one, 0) / ratios.length / (largest - 1);
    });

  // [P] t_A / t_B: 0 where only A solves, infinite where A does not.
  const pairRatios = (own, other) =>
    own.map((cost, p) => (Number.isFinite(cost) ? cost / other[p] : Infinity));

  // [R] share of problems that A solves within each ratio of the cost of B: Gould & Scott (2016).
  const pairwiseProfile = (own, other, ratios) => shares(pairRatios(own, other), ratios);

  // [S][B] share of problems solved within each budget: More & Wild (2009).
  const dataProfile = (costs, budgets) => columns(costs, (values) => shares(values, budgets));

  // The steps of a share: every place where it changes, and its height from there on.
  function steps(values) {
    const sorted = ascending(values.filter(Number.isFinite));
    const x = [];
    const y = [];
    sorted.forEach((value, index) => {
      if (value === sorted[index + 1]) return;
      x.push(value);
      y.push((index + 1) / values.length);
    });
    return { x, y };
  }

  // [N] runtime of each draw: a run that succeeds costs its cost to the target, one that fails all
  // that it spent. `times` [N, S] is how often each run is drawn.
  function runtimes(times, hits, spent) {
    return times.map((draw) =>
      draw.reduce(
        (sum, count, run) =>
          count ? sum + count * (Number.isFinite(hits[run]) ? hits[run] : spent[run]) : sum,
        0,
      ),
    );
  }

  // [B] share of `total` values, of which each counts so often, within each ascending budget.
  function ecdf(values, counts, total, budgets) {
    const sums = new Float64Array(budgets.length + 1);
    values.forEach((value, index) => {
      sums[firstWithin(budgets, value)] += counts[index];
    });
    let reached = 0;
    return budgets.map((_, index) => (reached += sums[index]) / total);
  }

  // Index of the first of ascending budgets that a value is within; their number where none is.
  function firstWithin(budgets, value) {
    let low = 0;
    let high = budgets.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (budgets[middle] >= value) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  // One solver against a reference: geometric mean of t / t_ref over the problems both solve.
  function referenceRatio(own, reference) {
    const both = range(own.length).filter(
      (p) => Number.isFinite(own[p]) && Number.isFinite(reference[p]),
    );
    const logs = both.map((p) => Math.log(own[p] / reference[p]));
    const mean = logs.reduce((sum, log) => sum + log, 0) / logs.length;
    return {
      ratio: both.length ? Math.exp(mean) : null,
      used: both.length,
      solved: own.filter(Number.isFinite).length,
      referenceSolved: reference.filter(Number.isFinite).length,
    };
  }

  // [n] expected best of k of n trials, drawn without replacement: Tang et al. (2020).
  function expectedBestOfK(values) {
    const sorted = ascending(values);
    const n = sorted.length;
    return range(n).map((index) => {
      const k = index + 1;
      let weight = k / n;
      let sum = 0;
      for (let i = 1; i <= n - k + 1; i += 1) {
        if (!Number.isFinite(sorted[i - 1])) return Infinity;
        sum += weight * sorted[i - 1];
        if (i < n) weight *= (n - i - k + 1) / (n - i);
      }
      return sum;
    });
  }

  return {
    areCosts,
    asCost,
    column,
    dataProfile,
    ecdf,
    expectedBestOfK,
    least,
    median,
    pairRatios,
    pairwiseProfile,
    performanceProfile,
    profileScore,
    ratiosToBest,
    referenceRatio,
    runtimes,
    steps,
  };
})();
