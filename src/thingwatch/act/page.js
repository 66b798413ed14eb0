// Comfort only: without this script every panel is open and every title still shows.
(function () {
  "use strict";
  function all(what, within) { return Array.from((within || document).querySelectorAll(what)); }

  var tip = document.body.appendChild(document.createElement("div"));
  tip.className = "tip";
  tip.hidden = true;
  all("svg title").forEach(function (title) {
    title.parentNode.dataset.tip = title.textContent;
    title.remove();
  });
  document.addEventListener("pointerover", function (event) {
    var spot = event.target.closest("[data-tip]");
    tip.hidden = !spot;
    if (!spot) return;
    tip.textContent = spot.dataset.tip;
    tip.style.left = Math.max(4, Math.min(event.pageX + 12, document.documentElement.clientWidth - 270)) + "px";
    tip.style.top = event.pageY + 16 + "px";
  });

  all("[data-tabs]").forEach(function (box) {
    var panels = all("[data-tab]", box), list = document.createElement("div");
    function open(chosen) {
      panels.forEach(function (panel, i) {
        panel.hidden = i !== chosen;
        list.children[i].setAttribute("aria-pressed", i === chosen);
      });
    }
    list.className = "tabs";
    panels.forEach(function (panel, i) {
      var button = list.appendChild(document.createElement("button"));
      button.textContent = panel.dataset.tab;
      button.onclick = function () { open(i); };
    });
    box.prepend(list);
    open(0);
  });

  addEventListener("beforeprint", function () { all("details").forEach(function (d) { d.open = true; }); });
})();
