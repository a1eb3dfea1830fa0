// Added by `registry serve` to every page, never by a build: shows changes as they are saved.
"use strict";
{
  const script = document.currentScript;
  let version = Number(script.dataset.version);
  let busy = false;
  let again = false;

  // Only new parts of the page replace old ones: scroll position and typed text are kept.
  const replace = async () => {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
      const text = await answer.text();
      const page = new DOMParser().parseFromString(text, "text/html");
      const fresh = page.querySelector("main");
      const old = document.querySelector("main");
      if (fresh && old && fresh.innerHTML !== old.dataset.source) {
        const typed = [...old.querySelectorAll("input, select")].map((one) => [one.id || one.name, one.value]);
        const source = fresh.innerHTML;
        document.title = page.title;
        old.replaceWith(document.adoptNode(fresh));
        fresh.dataset.source = source;
        const banners = [...page.querySelectorAll("body > .banner")];
        for (const banner of document.querySelectorAll("body > .banner")) banner.remove();
        for (const banner of banners) fresh.before(document.adoptNode(banner));
        for (const [name, value] of typed) {
          const field = [...fresh.querySelectorAll("input, select")].find((one) => (one.id || one.name) === name);
          if (field && value) field.value = value;
        }
        document.dispatchEvent(new Event("registry:replaced"));
      }
    } catch {
      version = -1; // the server is gone: after it returns, it sends its state and the page is requested again
    } finally {
      busy = false;
      if (again) {
        again = false;
        replace();
      }
    }
  };

  // Hidden problems stay hidden until they change.
  let hidden = "";
  const show = ({ problems, has_good: hasGood }) => {
    document.querySelector("#registry-problems")?.remove();
    const shown = JSON.stringify(problems);
    if (!problems.length) hidden = "";
    if (!problems.length || shown === hidden) return;
    const over = document.createElement("section");
    over.id = "registry-problems";
    over.setAttribute("role", "alert");
    over.setAttribute("aria-label", "Problems in the files");
    const heading = document.createElement("h2");
    heading.textContent = problems.length === 1 ? "A problem in the files" : `${problems.length} problems in the files`;
    const note = document.createElement("p");
    note.textContent = `${hasGood ? "The last good state is shown behind this." : "There is no good state yet."}`;
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = "Hide";
    const hide = () => {
      hidden = shown;
      over.remove();
    };
    close.addEventListener("click", hide);
    // A part that scrolls must be reachable with the keyboard.
    over.tabIndex = 0;
    over.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
    over.append(close, heading, note);
    for (const problem of problems.slice(0, 20)) {
      const one = document.createElement("article");
      for (const [tag, text] of [["code", problem.place], ["p", problem.message], ["pre", problem.source], ["p", problem.hint]]) {
        if (!text) continue;
        const part = document.createElement(tag);
        part.textContent = text;
        one.append(part);
      }
      over.append(one);
    }
    document.body.append(over);
  };

  const events = new EventSource(script.dataset.events);
  events.addEventListener("state", (event) => {
    const state = JSON.parse(event.data);
    show(state);
    if (state.version !== version) {
      version = state.version;
      replace();
    }
  });
}
