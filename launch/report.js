/* SPDX-License-Identifier: MIT
 * report.js - point at a plot and read its values. The page works without. */
"use strict";
for (const svg of document.querySelectorAll("svg[data-box]")) {
  const numbers = s => s.split(/[ ,]/).map(Number);
  const [left, top, right, bottom] = numbers(svg.dataset.box);
  const [x0, x1] = numbers(svg.dataset.x), [y0, y1] = numbers(svg.dataset.y);
  const caption = svg.parentNode.querySelector("figcaption");
  const lines = [...svg.querySelectorAll("polyline[data-name]")].map(line => {
    const v = numbers(line.getAttribute("points")), points = [];
    for (let i = 0; i + 1 < v.length; i += 2) points.push([v[i], v[i + 1]]);
    return { name: line.dataset.name, colour: line.classList[0],
             band: line.classList.contains("edge"), points };
  });
  // A browser would show the title as a tip of its own.
  const title = svg.querySelector("title");
  svg.setAttribute("aria-label", title.textContent);
  svg.setAttribute("aria-describedby", svg.querySelector("desc").id);
  svg.removeAttribute("aria-labelledby");
  title.remove();

  const value = y => {
    const share = (bottom - y) / (bottom - top);
    return svg.dataset.log ? y0 * (y1 / y0) ** share : y0 + share * (y1 - y0);
  };
  const text = v => Math.abs(v) >= 1e4 && Math.abs(v) < 1e12
    ? Math.round(v).toLocaleString("en") : String(+v.toPrecision(4));
  const nearest = (points, x) => {
    let low = 0, high = points.length - 1;
    while (high - low > 1) {
      const mid = (low + high) >> 1;
      if (points[mid][0] < x) low = mid; else high = mid;
    }
    return x - points[low][0] < points[high][0] - x ? points[low] : points[high];
  };

  const here = document.createElementNS("http://www.w3.org/2000/svg", "path");
  const tip = document.createElement("div");
  here.setAttribute("class", "here");
  tip.className = "tip";
  tip.setAttribute("aria-hidden", "true");
  const hide = () => { here.remove(); tip.remove(); };
  const show = event => {
    const box = svg.getBoundingClientRect(), outer = svg.parentNode.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
    if (x < left || x > right || !lines.length) return hide();
    const at = lines.map(line => nearest(line.points, x));
    const px = at.reduce((a, b) => Math.abs(b[0] - x) < Math.abs(a[0] - x) ? b : a)[0];
    here.setAttribute("d", `M${px} ${top}V${bottom}`);
    svg.append(here);
    tip.replaceChildren();
    const head = document.createElement("b");
    const step = x0 + (px - left) / (right - left) * (x1 - x0);
    head.textContent = `${[...svg.querySelectorAll(".x text")].pop().textContent} ${text(Math.round(step))}`;
    tip.append(head);
    lines.forEach((line, i) => {
      if (Math.abs(at[i][0] - px) > 12) return;
      const under = line.band && i ? value(at[i - 1][1]) : 0;
      const row = document.createElement("div"), dot = document.createElement("i");
      dot.className = `dot ${line.colour}`;
      row.append(dot, `${line.name}: ${text(value(at[i][1]) - under)}`);
      tip.append(row);
    });
    caption.parentNode.append(tip);
    const scale = box.width / svg.viewBox.baseVal.width;
    const where = box.left - outer.left + px * scale, wide = tip.offsetWidth;
    tip.style.top = `${box.top - outer.top + 8}px`;
    tip.style.left = `${Math.max(4, where + wide + 12 > outer.width ? where - wide - 10 : where + 10)}px`;
  };
  svg.addEventListener("pointermove", show);
  svg.addEventListener("pointerdown", show);
  svg.addEventListener("pointerleave", hide);
}
