(() => {
  const table = document.getElementById("errors");
  if (!table) return;
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const onPaper = document.getElementById("on-paper");
  const key = (row, column) => {
    const cell = row.cells[column];
    return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent.trim();
  };
  // Numbers by size, those that are unknown last in both directions; texts with the numbers in them by size.
  const order = (a, b, direction) => {
    if (typeof a === "number") return (Number.isNaN(a) - Number.isNaN(b)) || direction * (a - b) || 0;
    return direction * a.localeCompare(b, undefined, { numeric: true });
  };
  // Paper shows the first rows of those that the screen shows, and says how many follow.
  const cutForPaper = () => {
    const most = Number(onPaper.dataset.most);
    const rows = [...body.rows].filter((row) => !row.hidden);
    for (const row of body.rows) row.classList.remove("not-on-paper");
    rows.slice(most).forEach((row) => row.classList.add("not-on-paper"));
    onPaper.hidden = rows.length <= most;
    onPaper.textContent = onPaper.dataset.words.replace("{more}", rows.length - most);
  };
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const direction = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
    const rows = [...body.rows].sort((a, b) => order(key(a, column), key(b, column), direction));
    body.append(...rows);
    cutForPaper();
  }));
  document.getElementById("filter").addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    for (const row of body.rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
    cutForPaper();
  });
})();
