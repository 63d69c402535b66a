// Starting the page: unpack, build every section that has data, then the filters.

async function start() {
  const library = element("script");
  const [code, buffer] = await Promise.all([unpacked("library"), unpacked("arrays")]);
  library.textContent = new TextDecoder().decode(code);
  document.head.append(library);
  const facts = withArrays(JSON.parse(document.getElementById("facts").textContent), buffer);
  startTheme(() => {
    swatches.forEach((paint) => paint());
    redrawAll();
  });
  const host = document.getElementById("figures");
  const links = document.getElementById("sections");
  for (const [name, title, build] of SECTIONS) {
    if (!(name in facts.sections)) continue;
    const section = element("section", { id: name }, element("h2", {}, title));
    host.append(section);
    links.append(element("a", { href: `#${name}` }, title));
    build(section, facts.sections[name], facts);
  }
  addFilters(facts);
  document.getElementById("loading").remove();
  return facts;
}

// For tests, and for whoever opens the console.
window.optbench = { selection, choose, settled, figures, drawAll, at, profiles };
window.optbench.ready = start().then((facts) => {
  window.optbench.facts = facts;
});
window.optbench.ready.catch((error) => {
  document.getElementById("loading").textContent = `The figures cannot be shown: ${error.message}`;
  throw error;
});
