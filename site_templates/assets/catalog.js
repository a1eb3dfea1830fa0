// Conveniences only: every page works without this file.
"use strict";

// As on the pages: a value cannot change the direction of the text around it, and invisible characters are marked.
const unseen = /((?<!\p{Extended_Pictographic}\ufe0f?)\u200d|[\u0000-\u0008\u000b-\u001f\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u180b-\u180f\u2000-\u200c\u200e\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0d\ufeff\uffa0\u{e0000}-\u{e0fff}])/u;
const marked = (text) => {
  const whole = document.createDocumentFragment();
  text.split(unseen).forEach((part, place) => {
    if (place % 2 === 0) return whole.append(part);
    const mark = document.createElement("bdi");
    mark.className = "unseen";
    mark.dataset.code = `U+${part.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
    mark.textContent = part;
    whole.append(mark);
  });
  return whole;
};
const isolated = (text) => {
  const whole = document.createElement("bdi");
  whole.append(marked(text));
  return whole;
};

// The key `/` goes to the search box; people who use it otherwise switch that off on the search page.
const searchKey = {
  isOn: () => {
    try {
      return localStorage.getItem("registry.search-key") !== "off";
    } catch {
      return true;
    }
  },
  set: (isOn) => {
    try {
      localStorage.setItem("registry.search-key", isOn ? "on" : "off");
    } catch {
      // Storage is blocked: the choice lasts as long as the page.
    }
  },
};
const searchBox = () => document.querySelector(".search-page input[type=search]") ?? document.querySelector(".top input[type=search]");
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest("input, textarea, select, [contenteditable]") || !searchKey.isOn()) return;
  const box = searchBox();
  if (!box || box.disabled) return;
  event.preventDefault();
  box.focus();
  box.select();
});
// From disk, a browser loads no index.
if (location.protocol === "file:") {
  for (const box of document.querySelectorAll(".top input[type=search]")) {
    box.disabled = true;
    box.value = "";
    box.placeholder = "Search needs a web server";
  }
}

const enhance = () => {
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

  // A revision of a long history is on the page for its number, which a link made earlier does not know.
  const wanted = /^#revision-(\d+)$/.exec(location.hash);
  if (wanted && !document.querySelector(location.hash)) {
    for (const link of document.querySelectorAll("a[data-revisions]")) {
      const [first, last] = link.dataset.revisions.split("-").map(Number);
      if (first <= wanted[1] && wanted[1] <= last) location.replace(link.href + location.hash);
    }
  }

  // The fields that differ between two revisions, maps key by key, lists as one value: as in `registry diff`.
  const compare = document.querySelector(".compare");
  if (compare) {
    const isMap = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
    const same = (one, other) => {
      if (isMap(one) && isMap(other)) {
        const keys = Object.keys(one);
        return keys.length === Object.keys(other).length && keys.every((key) => Object.hasOwn(other, key) && same(one[key], other[key]));
      }
      if (Array.isArray(one) && Array.isArray(other)) return one.length === other.length && one.every((item, place) => same(item, other[place]));
      return one === other;
    };
    const step = (key) => "/" + key.replaceAll("~", "~0").replaceAll("/", "~1");
    const differences = (one, other, pointer) => {
      if (!isMap(one) || !isMap(other)) return same(one, other) ? [] : [[pointer || "/", one, other]];
      const keys = [...new Set([...Object.keys(one), ...Object.keys(other)])];
      return keys.flatMap((key) => differences(Object.hasOwn(one, key) ? one[key] : undefined, Object.hasOwn(other, key) ? other[key] : undefined, pointer + step(key)));
    };
    const shown = (value, tag) => {
      const element = document.createElement(value === undefined ? "span" : tag);
      if (value === undefined) element.className = "none";
      element.append(value === undefined ? "not set" : isolated(text(value)));
      return element;
    };
    const text = (value) => (typeof value === "string" ? value : JSON.stringify(value));
    // The lengths of the common start and end of two texts, at borders of words: as in the history.
    const isWord = (character) => character !== undefined && /[\p{L}\p{N}]/u.test(character);
    const commonStart = (one, other) => {
      let length = 0;
      while (length < Math.min(one.length, other.length) && one[length] === other[length]) length += 1;
      while (length && isWord(one[length - 1]) && (isWord(one[length]) || isWord(other[length]))) length -= 1;
      return length;
    };
    // Both values, with what differs marked; whole values where less than a third is common.
    const shownParts = (before, after) => {
      if (before === undefined || after === undefined) return [shown(before, "del"), shown(after, "ins")];
      const [was, now] = [[...text(before)], [...text(after)]];
      const start = commonStart(was, now);
      const end = commonStart(was.slice(start).reverse(), now.slice(start).reverse());
      if (!(start + end) || start + end < 0.3 * Math.max(was.length, now.length)) return [shown(before, "del"), shown(after, "ins")];
      return [[was, "del"], [now, "ins"]].map(([characters, tag]) => {
        const element = document.createElement("bdi");
        const changed = document.createElement(tag);
        changed.append(marked(characters.slice(start, characters.length - end).join("")));
        element.append(marked(characters.slice(0, start).join("")), changed, marked(characters.slice(characters.length - end).join("")));
        element.className = "part";
        return element;
      });
    };
    const row = (cells, tag) => {
      const made = document.createElement("tr");
      for (const cell of cells) {
        const place = document.createElement(tag);
        place.append(cell);
        made.append(place);
      }
      return made;
    };
    const form = compare.querySelector("form");
    const output = compare.querySelector("output");
    let fetched;
    const load = () => {
      fetched ??= fetch(compare.dataset.history)
        .then((answer) => answer.json())
        .then((answer) => new Map(answer.revisions.map((revision) => [String(revision.number), revision.document])));
      return fetched;
    };
    let latest = 0;
    const show = async () => {
      const mine = ++latest;
      const [from, to] = [form.from.value, form.to.value];
      let content;
      try {
        const documents = await load();
        const found = differences(documents.get(from) ?? undefined, documents.get(to) ?? undefined, "");
        content = document.createElement(found.length ? "table" : "p");
        content.className = found.length ? "changes" : "note";
        if (found.length) {
          content.append(row(["Field", "Before", "After"], "th"));
          for (const [pointer, before, after] of found) content.append(row([shown(pointer, "code"), ...shownParts(before, after)], "td"));
        } else {
          content.textContent = "No field differs.";
        }
      } catch {
        fetched = undefined;
        content = document.createElement("p");
        content.textContent = "The revisions could not be loaded.";
      }
      if (mine === latest) output.replaceChildren(content);
    };
    const choose = () => {
      const asked = /^#compare=(\d+)\.\.(\d+)$/.exec(location.hash);
      const newest = form.to.options[0].value;
      form.to.value = asked ? asked[2] : newest;
      form.from.value = asked ? asked[1] : form.from.options[1].value;
      if (asked) compare.scrollIntoView();
      show();
    };
    form.addEventListener("change", () => {
      history.replaceState(null, "", `#compare=${form.from.value}..${form.to.value}`);
      show();
    });
    onhashchange = choose;
    compare.hidden = false;
    choose();
  }
};
enhance();
// `registry serve` updates open pages.
document.addEventListener("registry:replaced", enhance);

// The commit of the site is in one file, so that a commit does not change every page.
const built = document.querySelector("[data-snapshot]");
if (built) {
  fetch(built.dataset.snapshot).then((answer) => answer.json()).then((snapshot) => {
    built.textContent = snapshot.commit
      ? `Built from commit ${snapshot.commit.slice(0, 12)} of ${snapshot.commit_time.slice(0, 10)}.`
      : "Built from uncommitted files.";
    if (snapshot.commit && snapshot.dirty) built.textContent += " Some files have uncommitted changes.";
  }).catch(() => {});
}
