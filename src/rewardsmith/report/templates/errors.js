(() => {
  const list = document.getElementById("list");
  if (!list) return;
  const part = (id) => document.getElementById(id);
  const rows = [...list.children];
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const note = part("on-paper"), matching = part("matching"), all = part("toggle-all"), direction = part("direction");
  const PRINTED = rows.filter((row) => !row.classList.contains("not-on-paper")).length;

  // Without this script every error lies open; with it they are closed until asked for.
  const open = (row, yes) => {
    row.classList.toggle("closed", !yes);
    row.querySelector("button").setAttribute("aria-expanded", String(yes));
  };
  const shown = () => [...list.children].filter((row) => !row.hidden);
  const say = (element, values) => {
    element.textContent = element.dataset.words.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  };
  const number = (row, name) => (row.dataset[name] === "nan" ? NaN : Number(row.dataset[name]));
  // Numbers by size, unknown ones last in both directions; texts with the numbers in them by size.
  const order = (a, b, name, sign) => {
    if (name === "category") return sign * a.dataset.category.localeCompare(b.dataset.category, undefined, { numeric: true });
    const x = number(a, name), y = number(b, name);
    return (Number.isNaN(x) - Number.isNaN(y)) || sign * (x - y) || 0;
  };
  // A page has those of the controls that its rows have values for.
  const colour = part("colour");
  if (colour) colour.addEventListener("change", () => list.classList.toggle("by-token", colour.value === "by-token"));
  const value = (id) => (part(id) ? part(id).value : "");
  const matches = (row, index) => {
    const wanted = part("search").value.trim().toLowerCase();
    const category = value("category"), right = value("right");
    const longer = Number(value("longer"));
    const least = Number(value("least")) || 0;
    return (!wanted || texts[index].includes(wanted))
      && (!category || row.dataset.category === category)
      && (!right || row.dataset.right === right)
      && (!longer || Math.sign(number(row, "length")) === longer)
      && Math.abs(number(row, "margin")) >= least;
  };
  // Paper shows the first of those that the screen shows, and says how many there are.
  const update = () => {
    rows.forEach((row, index) => { row.hidden = !matches(row, index); });
    const seen = shown();
    say(matching, { shown: seen.length, all: rows.length });
    part("none").hidden = seen.length > 0;
    rows.forEach((row) => row.classList.remove("not-on-paper"));
    seen.slice(PRINTED).forEach((row) => row.classList.add("not-on-paper"));
    say(note, { shown: Math.min(PRINTED, seen.length), all: rows.length });
  };
  const sort = () => {
    const name = part("sort").value, sign = direction.getAttribute("aria-pressed") === "true" ? -1 : 1;
    direction.textContent = sign === 1 ? "↑" : "↓";
    list.append(...[...rows].sort((a, b) => order(a, b, name, sign)));
    update();
  };
  list.addEventListener("click", (event) => {
    const button = event.target.closest("h3 button");
    if (button) open(button.closest(".error"), button.getAttribute("aria-expanded") !== "true");
  });
  all.addEventListener("click", () => {
    const yes = shown().some((row) => row.classList.contains("closed"));
    shown().forEach((row) => open(row, yes));
    all.textContent = yes ? all.dataset.close : all.dataset.open;
  });
  direction.addEventListener("click", () => {
    direction.setAttribute("aria-pressed", String(direction.getAttribute("aria-pressed") !== "true"));
    sort();
  });
  part("sort").addEventListener("change", sort);
  for (const id of ["search", "least"]) if (part(id)) part(id).addEventListener("input", update);
  for (const id of ["category", "longer", "right"]) if (part(id)) part(id).addEventListener("change", update);
  rows.forEach((row, index) => open(row, index === 0));
  part("controls").hidden = false;
  update();
})();
