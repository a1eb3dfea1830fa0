// Conveniences only: every page works without this file.
"use strict";

for (const button of document.querySelectorAll("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const byHref = button.dataset.copyHref;
    const text = byHref ? document.querySelector(byHref).href : document.querySelector(button.dataset.copy).textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Press Ctrl+C";
      const range = document.createRange();
      range.selectNodeContents(document.querySelector(byHref || button.dataset.copy));
      getSelection().removeAllRanges();
      getSelection().addRange(range);
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}

const filter = document.querySelector("#filter");
if (filter) {
  const rows = [...document.querySelectorAll("table[data-filter] tbody tr")].map((row) => [row, row.textContent.toLowerCase()]);
  filter.parentElement.hidden = rows.length < 2;
  const apply = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const [row, text] of rows) {
      row.hidden = !words.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    document.querySelector("#filter-count").textContent = words.length ? `${shown} of ${rows.length}` : "";
  };
  filter.addEventListener("input", apply);
  apply();
}
