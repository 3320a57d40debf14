"use strict";
(function () {
  var svg = document.getElementById("graph");
  if (!svg) return;
  var world = document.getElementById("world"), find = document.getElementById("find"), hits = document.getElementById("hits"), details = document.getElementById("details");
  var data = JSON.parse(document.getElementById("data").textContent);
  var nodes = Array.prototype.slice.call(world.querySelectorAll(".node")), edges = Array.prototype.slice.call(world.querySelectorAll(".edge"));
  var W = +svg.dataset.w, H = +svg.dataset.h, k = 1, x = 0, y = 0, chosen = -1, found = [], at = -1;
  var places = nodes.map(function (n) { var m = /translate\(([-\d.]+)[ ,]([-\d.]+)/.exec(n.getAttribute("transform")); return [+m[1], +m[2]]; });
  svg.removeAttribute("viewBox");
  function draw() { world.setAttribute("transform", "translate(" + x + " " + y + ") scale(" + k + ")"); }
  function box() { return svg.getBoundingClientRect(); }
  function zoom(by, px, py) { var n = Math.min(6, Math.max(0.005, k * by)); x = px - (px - x) * n / k; y = py - (py - y) * n / k; k = n; draw(); }
  function all() { var b = box(); k = Math.min(1.5, b.width / W, b.height / H); x = (b.width - W * k) / 2; y = (b.height - H * k) / 2; draw(); }
  function top() { var b = box(), p = places[0] || [0, 0]; k = Math.min(1.2, Math.max(0.8, b.width / W)); x = W * k <= b.width ? (b.width - W * k) / 2 : b.width / 2 - p[0] * k; y = 8; draw(); }
  function go(i) { var b = box(); k = Math.max(k, 0.8); x = b.width / 2 - places[i][0] * k; y = b.height / 2 - places[i][1] * k; draw(); choose(i); }
  function row(table, name, value) {
    var r = table.insertRow(), h = document.createElement("th"), c = document.createElement("td");
    h.textContent = name; c.textContent = value; r.appendChild(h); r.appendChild(c);
  }
  function choose(i) {
    if (chosen >= 0) nodes[chosen].classList.remove("chosen");
    edges.forEach(function (e) { e.classList.toggle("near", i >= 0 && (+e.dataset.f === i || +e.dataset.t === i)); });
    chosen = i; details.textContent = "";
    if (i < 0) return;
    nodes[i].classList.add("chosen");
    var h = document.createElement("h2"), t = document.createElement("table");
    h.textContent = data[i].t; details.appendChild(h); details.appendChild(t);
    data[i].d.forEach(function (p) { row(t, p[0], p[1]); });
  }
  function search() {
    var words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    found = []; at = -1; hits.textContent = "";
    nodes.forEach(function (n, i) {
      var s = data[i].s, ok = words.length > 0 && words.every(function (w) { return s.indexOf(w) >= 0; });
      n.classList.toggle("hit", ok);
      if (ok) found.push(i);
    });
    world.classList.toggle("searching", words.length > 0);
    if (words.length) {
      var count = document.createElement("li");
      count.textContent = found.length + (found.length === 1 ? " node" : " nodes");
      hits.appendChild(count);
    }
    found.slice(0, 40).forEach(function (i) {
      var li = document.createElement("li"), b = document.createElement("button");
      b.type = "button"; b.textContent = data[i].t + "  " + data[i].n;
      b.addEventListener("click", function () { go(i); });
      li.appendChild(b); hits.appendChild(li);
    });
  }
  find.addEventListener("input", search);
  find.addEventListener("keydown", function (e) {
    if (e.key === "Enter" && found.length) { at = (at + (e.shiftKey ? found.length - 1 : 1)) % found.length; go(found[at]); }
    if (e.key === "Escape") { find.value = ""; search(); svg.focus(); }
    e.stopPropagation();
  });
  document.addEventListener("keydown", function (e) {
    var b = box(), s = 60;
    switch (e.key) {
      case "/": find.focus(); find.select(); break;
      case "+": case "=": zoom(1.25, b.width / 2, b.height / 2); break;
      case "-": zoom(0.8, b.width / 2, b.height / 2); break;
      case "0": all(); break;
      case "Home": top(); break;
      case "ArrowUp": y += s; draw(); break;
      case "ArrowDown": y -= s; draw(); break;
      case "ArrowLeft": x += s; draw(); break;
      case "ArrowRight": x -= s; draw(); break;
      case "Escape": choose(-1); break;
      default: return;
    }
    e.preventDefault();
  });
  svg.addEventListener("wheel", function (e) {
    var b = box();
    e.preventDefault();
    zoom(Math.exp(-e.deltaY * (e.deltaMode ? 0.05 : 0.0016)), e.clientX - b.left, e.clientY - b.top);
  }, { passive: false });
  var fingers = new Map(), moved = 0;
  svg.addEventListener("pointerdown", function (e) { fingers.set(e.pointerId, [e.clientX, e.clientY]); moved = 0; });
  svg.addEventListener("pointermove", function (e) {
    var was = fingers.get(e.pointerId), b = box();
    if (!was) return;
    if (fingers.size === 2) {
      var other = Array.from(fingers.entries()).find(function (f) { return f[0] !== e.pointerId; })[1];
      var before = Math.hypot(was[0] - other[0], was[1] - other[1]), now = Math.hypot(e.clientX - other[0], e.clientY - other[1]);
      if (before > 0) zoom(now / before, (e.clientX + other[0]) / 2 - b.left, (e.clientY + other[1]) / 2 - b.top);
    } else {
      x += e.clientX - was[0]; y += e.clientY - was[1]; draw();
    }
    moved += Math.abs(e.clientX - was[0]) + Math.abs(e.clientY - was[1]);
    if (moved > 4 && !svg.hasPointerCapture(e.pointerId)) svg.setPointerCapture(e.pointerId);
    fingers.set(e.pointerId, [e.clientX, e.clientY]);
  });
  function lift(e) { fingers.delete(e.pointerId); }
  svg.addEventListener("pointerup", lift);
  svg.addEventListener("pointercancel", lift);
  svg.addEventListener("click", function (e) {
    if (moved > 4) return;
    var n = e.target.closest(".node");
    choose(n ? nodes.indexOf(n) : -1);
  });
  document.getElementById("in").addEventListener("click", function () { var b = box(); zoom(1.4, b.width / 2, b.height / 2); });
  document.getElementById("out").addEventListener("click", function () { var b = box(); zoom(1 / 1.4, b.width / 2, b.height / 2); });
  document.getElementById("all").addEventListener("click", all);
  document.getElementById("top").addEventListener("click", top);
  top();
  if (location.hash.length > 1) { find.value = decodeURIComponent(location.hash.slice(1)); search(); if (found.length) go(found[0]); }
})();
