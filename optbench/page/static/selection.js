// What the reader has chosen. `choose` changes it; figures that depend on it are drawn again.

const selection = {
  problem: 0, // index of the one that is looked at alone
  problems: [], // indices of those that are switched on and match the search
  optimizers: [],
};
const listeners = [];

const onChoice = (listener) => listeners.push(listener);

function choose(changes) {
  const changed = Object.keys(changes).filter((key) => !same(selection[key], changes[key]));
  Object.assign(selection, changes);
  if (changed.length) listeners.forEach((listener) => listener(new Set(changed)));
}

function same(before, after) {
  if (!Array.isArray(before) || !Array.isArray(after)) return before === after;
  return before.length === after.length && before.every((item, index) => item === after[index]);
}

// The sections of the page, in order: [name, title, build]. `build(host, data, facts)` adds its
// figures, where `data` is what the section of this name wrote in Python.
const SECTIONS = [];
