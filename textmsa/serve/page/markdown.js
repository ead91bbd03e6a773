// A model card's Markdown as elements: headings, paragraphs, lists, tables, code. Text is always text, never markup.

import { el } from "./dom.js";

const LIST = /^[-*] +/;
const CELLS = /^\|(.*)\|$/;

// The elements of a text, without the header that is for hubs.
export function markdown(text) {
  const lines = text.replace(/\r\n?/g, "\n").replace(/^---\n[\s\S]*?\n---(\n|$)/, "").split("\n").map((line) => line.trimEnd());
  const found = [];
  while (lines.length) {
    if (lines[0]) found.push(block(lines));
    else lines.shift();
  }
  return found;
}

// The first block of the lines, which are taken away.
function block(lines) {
  if (lines[0].startsWith("```")) {
    lines.shift();
    const code = taken(lines, (line) => !line.startsWith("```"));
    lines.shift();
    return el("pre", { tabindex: 0, text: code.join("\n") });
  }
  const heading = /^(#{1,6}) +(.*)/.exec(lines[0]);
  if (heading) {
    lines.shift();
    return el(heading[1].length < 2 ? "h3" : "h4", {}, ...inline(heading[2]));
  }
  if (CELLS.test(lines[0])) return table(taken(lines, (line) => CELLS.test(line)));
  if (LIST.test(lines[0])) {
    const items = [];
    for (const line of taken(lines, (line) => line && !begins(line))) {
      if (LIST.test(line)) items.push(line.replace(LIST, ""));
      else items[items.length - 1] += ` ${line.trim()}`;
    }
    return el("ul", {}, ...items.map((item) => el("li", {}, ...inline(item))));
  }
  const first = lines.shift(); // whatever it is, so that every block takes a line
  return el("p", {}, ...inline([first, ...taken(lines, (line) => line && !begins(line) && !LIST.test(line))].join(" ")));
}

const begins = (line) => /^(```|#{1,6} )/.test(line) || CELLS.test(line); // another block than a paragraph or a list

function taken(lines, belongs) {
  const end = lines.findIndex((line) => !belongs(line));
  return lines.splice(0, end < 0 ? lines.length : end);
}

function table(lines) {
  const rows = lines.map((line) => CELLS.exec(line)[1].split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|")));
  const headed = rows.length > 1 && rows[1].every((cell) => /^:?-+:?$/.test(cell));
  const body = headed ? rows.slice(2) : rows;
  const cells = (row, tag) => el("tr", {}, ...row.map((cell) => el(tag, { scope: tag === "th" && cell && "col" }, ...inline(cell))));
  return el("table", {}, headed && el("thead", {}, cells(rows[0], "th")), el("tbody", {}, ...body.map((row) => cells(row, "td"))));
}

// `code`, **strong** and plain words.
function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).filter(Boolean).map((part) =>
    /^`[^`]+`$/.test(part) ? el("code", { text: part.slice(1, -1) }) : /^\*\*[^*]+\*\*$/.test(part) ? el("strong", { text: part.slice(2, -2) }) : part);
}
