// A click on a column's name sorts by it, a second one the other way round.
for (const table of document.querySelectorAll("table.runs")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const sorted = head.getAttribute("aria-sort");
      const first = head.dataset.sort === "down" ? "descending" : "ascending";
      const order = sorted ? (sorted === "ascending" ? "descending" : "ascending") : first;
      for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", order);
      const value = (row) => row.cells[column].dataset.value;
      const compare = (one, other) => value(one).localeCompare(value(other), "en", { numeric: head.dataset.sort === "text" });
      const difference = (one, other) => Number(value(one)) - Number(value(other)) || 0;
      const numbers = [...body.rows].every((row) => !Number.isNaN(Number(value(row))));
      const rows = [...body.rows].sort(numbers && head.dataset.sort !== "text" ? difference : compare);
      body.append(...(order === "ascending" ? rows : rows.reverse()));
    });
  });
}
