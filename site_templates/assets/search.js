// The search page: reads the index that `registry build` writes, in shards, and ranks as the live server does.
"use strict";

const search = (() => {
  // As in registry/render/search/terms.py.
  const longestTerm = 40, longestQuery = 200, mostWords = 12, shortestPrefix = 2, shortestMisspelled = 4;
  const plain = { "ß": "ss", "ς": "σ", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i" };
  const pair = "\\u3005-\\u3007\\u3040-\\u30ff\\u31f0-\\u31ff\\u3400-\\u4dbf\\u4e00-\\u9fff\\uac00-\\ud7af\\uf900-\\ufaff\\u{20000}-\\u{3ffff}";
  const part = new RegExp(`([${pair}]+)|[^${pair}]+`, "gu");
  const pairStart = new RegExp(`^[${pair}]`, "u");
  const fold = (text) => text.normalize("NFKD").toLowerCase().replace(/[ßςøłđðþæœı]/g, (letter) => plain[letter])
    .replace(/[\u0300-\u036f]+/g, "").normalize("NFC");
  const isPaired = (word) => pairStart.test(word);
  const queryTerms = (query) => {
    const found = new Set();
    const folded = fold([...query].slice(0, longestQuery).join(""));
    for (const word of folded.match(/[\p{L}\p{M}\p{N}]+/gu) ?? []) {
      for (const [whole, paired] of word.matchAll(part)) {
        const characters = [...whole];
        if (!paired) found.add(characters.slice(0, longestTerm).join(""));
        else for (let i = 0; i < Math.max(1, characters.length - 1); i++) found.add(characters.slice(i, i + 2).join(""));
      }
    }
    return [...found].slice(0, mostWords);
  };
  const lengthOf = (word) => [...word].length;
  const matchesPrefix = (word, term) => (lengthOf(word) >= shortestPrefix || isPaired(word)) && term.startsWith(word);
  const mayBeMisspelled = (word) => lengthOf(word) >= shortestMisspelled && /^\p{L}+$/u.test(word) && !isPaired(word);
  const isOneEditAway = (first, second) => {
    const [word, other] = first.length > second.length ? [[...second], [...first]] : [[...first], [...second]];
    if (first === second || other.length - word.length > 1) return false;
    const same = (from, fromOther) => word.slice(from).join("") === other.slice(fromOther).join("");
    let start = 0;
    while (start < word.length && word[start] === other[start]) start++;
    if (word.length < other.length) return same(start, start + 1);
    if (same(start + 1, start + 1)) return true;
    return other[start] === word[start + 1] && other[start + 1] === word[start] && same(start + 2, start + 2);
  };
  const shardOf = (term) => {
    const start = [...term].slice(0, 2);
    if (/^[0-9]/.test(start[0])) return start[0];
    if (/^[a-z][a-z0-9]?$/.test(start.join(""))) return start.join("");
    return `_${(start.find((one) => one.codePointAt(0) > 127).codePointAt(0) >> 8).toString(16)}`;
  };

  const misspelledEndings = (word) => {
    const letters = [...word];
    const found = new Set([shardOf(letters.slice(-2).join(""))]);
    if (letters.length === shortestMisspelled) found.add(shardOf(letters[1] + letters[3]));
    return [...found];
  };

  // As in registry/render/search/ranking.py. `index` loads the files.
  const ranks = 4, perRank = 4, equal = 2, longer = 1, misspelled = 0;
  const numbersOf = (steps) => {
    let number = 0;
    return steps.map((step) => (number += step));
  };
  const add = (points, steps, match) => {
    for (const place of numbersOf(steps)) {
      const number = Math.floor(place / ranks);
      const worth = perRank * (ranks - (place % ranks)) + match;
      if ((points.get(number) ?? -1) < worth) points.set(number, worth);
    }
  };
  const pointsOf = async (index, word) => {
    const points = new Map();
    for (const [term, places] of await index.terms(shardOf(word))) {
      if (term === word) add(points, places, equal);
      else if (matchesPrefix(word, term)) add(points, places, longer);
    }
    if (points.size || !mayBeMisspelled(word)) return points;
    const isNear = (term) => mayBeMisspelled(term) && isOneEditAway(word, term);
    let near = [...(await index.terms(shardOf(word))).keys()].filter(isNear);
    if (!near.length) near = (await Promise.all(misspelledEndings(word).map(index.endings))).flat().filter(isNear);
    const found = await Promise.all(near.map(async (term) => (await index.terms(shardOf(term))).get(term)));
    for (const places of found) add(points, places, misspelled);
    return points;
  };
  const ranked = async (index, query) => {
    const all = await Promise.all(queryTerms(query).map((word) => pointsOf(index, word)));
    if (!all.length) return [];
    let points = all[0];
    for (const other of all.slice(1)) {
      points = new Map([...points].filter(([number]) => other.has(number)).map(([number, sum]) => [number, sum + other.get(number)]));
    }
    return [...points].sort(([one, sum], [other, otherSum]) => otherSum - sum || one - other).map(([number]) => number);
  };

  const indexAt = (root, settings) => {
    const loading = new Map();
    const load = (path, read) => {
      if (!loading.has(path)) {
        const loaded = fetch(`${root}_search/${path}.json`).then((answer) => {
          if (!answer.ok) throw new Error(answer.status);
          return answer.json();
        }).then(read);
        // After a failure the next search tries again.
        loaded.catch(() => loading.delete(path));
        loading.set(path, loaded);
      }
      return loading.get(path);
    };
    const shards = new Set(settings.shards);
    const endings = new Set(settings.endings);
    const asMap = (found) => new Map(Object.entries(found));
    return {
      terms: (shard) => (shards.has(shard) ? load(`terms/${shard}`, asMap) : Promise.resolve(new Map())),
      endings: (shard) => (endings.has(shard) ? load(`endings/${shard}`, (words) => words) : Promise.resolve([])),
      facet: (name) => load(`facets/${name}`, (found) => new Map(found.map(([value, steps]) => [value, numbersOf(steps)]))),
      row: (number) => {
        const shard = Math.floor(number / settings.kinds.length / settings.perShard);
        return load(settings.hasShards ? `rows/${shard}` : "rows", asMap).then((rows) => rows.get(String(number)));
      },
    };
  };
  return { fold, queryTerms, isOneEditAway, shardOf, ranked, indexAt };
})();

const searchPage = (page) => {
  const settings = JSON.parse(page.dataset.search);
  const { root } = page.dataset;
  const index = search.indexAt(root, settings);
  const perPage = 20, mostValues = 10;
  const [note, columns, facets, count, list, pages] = [".search-note", ".search-columns", ".facets", ".search-count", ".results", "nav.pages"]
    .map((selector) => page.querySelector(selector));
  const form = page.querySelector("form");
  const order = page.querySelector("select[name=order]");

  const element = (tag, name, ...content) => {
    const made = document.createElement(tag);
    if (name) made.className = name;
    made.append(...content);
    return made;
  };
  const state = () => new URLSearchParams(location.search);
  const addressOf = (parameters) => {
    const text = String(parameters);
    return text ? `?${text}` : location.pathname;
  };
  const changed = (parameters, change) => {
    const copy = new URLSearchParams(parameters);
    copy.delete("page");
    change(copy);
    return copy;
  };
  const chosen = (parameters) => settings.facets.flatMap(([name]) => parameters.getAll(name).filter(Boolean).map((value) => [name, value]));

  const found = async (parameters) => {
    const query = (parameters.get("q") ?? "").trim();
    let numbers;
    if (query) numbers = await search.ranked(index, query);
    else if (settings.facets.length) numbers = [...(await index.facet("kind")).values()].flat().sort((one, other) => one - other);
    else return [];
    for (const [name, value] of chosen(parameters)) {
      const having = new Set((await index.facet(name)).get(value) ?? []);
      numbers = numbers.filter((number) => having.has(number));
    }
    // Ids are assigned in order, and a number contains the id.
    const sign = { id: 1, "-id": -1 }[parameters.get("order")];
    return sign ? [...numbers].sort((one, other) => sign * (one - other)) : numbers;
  };

  const hrefOf = (kind, name) => `${root}${kind}/${name.split("/").map((one) => encodeURIComponent(one).replaceAll("%2B", "+")).join("/")}/`;
  const result = (number, row) => {
    const [kind, kindTitle] = settings.kinds[number % settings.kinds.length];
    const [name, title, lifecycle, tags, description] = row;
    const link = element("a", "title", isolated(title || name));
    link.href = hrefOf(kind, name);
    const head = element("p", "result-title", link, " ");
    if (lifecycle && lifecycle !== "production") head.append(element("span", `badge ${lifecycle.replace(/[^a-z]/g, "")}`, lifecycle), " ");
    head.append(element("span", "name", isolated(name)));
    const facts = element("p", "note", kindTitle, " ");
    for (const tag of tags) facts.append(element("span", "tag", isolated(tag)), " ");
    const item = element("li", "", head);
    if (description) item.append(element("p", "excerpt", isolated(description)));
    item.append(facts);
    return item;
  };
  const link = (parameters, name, ...content) => {
    const made = element("a", name, ...content);
    made.href = addressOf(parameters);
    return made;
  };
  const showPages = (parameters, number, last) => {
    const to = (wanted) => changed(parameters, (copy) => wanted > 1 && copy.set("page", wanted));
    const content = [element("span", "", `Page ${number} of ${last}`)];
    if (number > 1) content.unshift(link(to(number - 1), "", "Previous"));
    if (number < last) content.push(link(to(number + 1), "", "Next"));
    pages.replaceChildren(...content);
    pages.hidden = last < 2;
  };
  const showFacets = async (parameters, numbers, isCurrent) => {
    const all = await Promise.all(settings.facets.map(([name]) => index.facet(name)));
    if (!isCurrent()) return;
    const shown = new Set(numbers);
    const groups = settings.facets.map(([name, title], place) => {
      const selected = new Set(parameters.getAll(name));
      const values = [...all[place]].map(([value, having]) => [value, having.reduce((sum, number) => sum + shown.has(number), 0)])
        .filter(([value, total]) => total || selected.has(value));
      for (const value of selected) if (value && !all[place].has(value)) values.push([value, 0]);
      values.sort(([one, total], [other, otherTotal]) => selected.has(other) - selected.has(one) || otherTotal - total || (one < other ? -1 : 1));
      const entries = values.map(([value, total]) => {
        const isSelected = selected.has(value);
        const next = changed(parameters, (copy) => {
          copy.delete(name);
          for (const one of selected) if (one !== value) copy.append(name, one);
          if (!isSelected) copy.append(name, value);
        });
        const label = name === "kind" ? settings.kinds.find(([kind]) => kind === value)?.[1] ?? value : value;
        const made = link(next, isSelected ? "selected" : "", isolated(label), " ", element("span", "total", String(total)));
        if (isSelected) made.setAttribute("aria-label", `Remove ${label}`);
        return element("li", "", made);
      });
      if (!entries.length) return "";
      const group = element("div", "facet", element("h2", "", title), element("ul", "plain", ...entries.slice(0, mostValues)));
      if (entries.length > mostValues) {
        group.append(element("details", "", element("summary", "", `${entries.length - mostValues} more`), element("ul", "plain", ...entries.slice(mostValues))));
      }
      return group;
    });
    facets.replaceChildren(...groups);
  };

  let latest = 0;
  const show = async () => {
    const mine = ++latest;
    const isCurrent = () => mine === latest;
    const parameters = state();
    if (document.activeElement !== form.q || !form.q.value.startsWith((parameters.get("q") ?? "").trim())) form.q.value = parameters.get("q") ?? "";
    order.value = ["id", "-id"].includes(parameters.get("order")) ? parameters.get("order") : "";
    try {
      const numbers = await found(parameters);
      if (!isCurrent()) return;
      const last = Math.max(1, Math.ceil(numbers.length / perPage));
      const number = Math.min(last, Math.max(1, parseInt(parameters.get("page"), 10) || 1));
      const rows = numbers.slice((number - 1) * perPage, number * perPage).map((one) => index.row(one).then((row) => (row ? result(one, row) : "")));
      const items = [];
      // The first result is shown before the rows of all others have arrived.
      for (const [place, row] of rows.entries()) {
        items.push(await row);
        if (!isCurrent()) return;
        if (place === 0) list.replaceChildren(items[0]);
      }
      list.replaceChildren(...items);
      list.start = (number - 1) * perPage + 1;
      count.textContent = numbers.length === 1 ? "1 definition" : `${numbers.length} definitions`;
      showPages(parameters, number, last);
      await showFacets(parameters, numbers, isCurrent);
      if (isCurrent()) page.dataset.shown = location.search;
    } catch {
      if (isCurrent()) count.textContent = "The index of the search could not be loaded.";
    }
  };
  const go = (parameters, isNew) => {
    const address = addressOf(parameters);
    if (address !== addressOf(state())) history[isNew ? "pushState" : "replaceState"](null, "", address);
    show();
  };
  const typed = () => changed(state(), (copy) => (form.q.value.trim() ? copy.set("q", form.q.value.trim()) : copy.delete("q")));

  if (location.protocol === "file:") {
    note.textContent = "Searching needs a web server: a page that was opened from disk cannot load the index. Browse the lists instead.";
    form.hidden = true;
    return;
  }
  note.hidden = true;
  columns.hidden = false;
  form.addEventListener("input", () => go(typed(), false));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    go(typed(), true);
  });
  page.addEventListener("click", (event) => {
    const target = event.target.closest("a");
    if (!target || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    if (!target.closest(".facets, nav.pages")) return;
    event.preventDefault();
    go(new URL(target.href).searchParams, true);
    if (target.closest("nav.pages")) scrollTo(0, 0);
  });
  order.addEventListener("change", () => go(changed(state(), (copy) => (order.value ? copy.set("order", order.value) : copy.delete("order"))), true));
  addEventListener("popstate", () => page.isConnected && show());
  const keys = page.querySelector(".search-keys");
  const box = keys.querySelector("input");
  keys.hidden = false;
  box.checked = searchKey.isOn();
  box.addEventListener("change", () => searchKey.set(box.checked));
  show();
};

const enhanceSearch = () => {
  const page = document.querySelector(".search-page");
  if (page && !page.dataset.ready) {
    page.dataset.ready = "yes";
    searchPage(page);
  }
};
enhanceSearch();
document.addEventListener("registry:replaced", enhanceSearch);
