// Light, dark or automatic colors. A classic script in the head, so that the choice applies before the first paint.
// Without this file the colors are those of the system.
"use strict";
{
  const key = "registry.theme";
  const page = document.documentElement;
  const apply = (theme) => {
    if (theme === "light" || theme === "dark") page.dataset.theme = theme;
    else delete page.dataset.theme;
    for (const button of document.querySelectorAll("button[data-set-theme]")) {
      button.ariaPressed = String(button.dataset.setTheme === (page.dataset.theme ?? "auto"));
    }
  };
  const stored = () => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null; // storage is blocked: a choice lasts as long as the page
    }
  };
  const choose = (theme) => {
    apply(theme);
    try {
      localStorage.setItem(key, theme);
    } catch {
      // as above
    }
  };

  apply(stored());
  addEventListener("DOMContentLoaded", () => {
    for (const button of document.querySelectorAll("button[data-set-theme]")) {
      button.addEventListener("click", () => choose(button.dataset.setTheme));
      button.parentElement.hidden = false;
    }
    apply(stored());
  });
  // Other tabs, and pages that Back restores.
  addEventListener("storage", (event) => {
    if (event.key === key || event.key === null) apply(stored());
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) apply(stored());
  });
}
