// Small repairs of the page itself.
(() => {
  "use strict";
  // The search page fetches each hit's text for a summary, which a browser refuses for a page opened from a folder.
  if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined") {
    DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
  }

  // A box that scrolls must be reachable from the keyboard; one that does not needs no stop.
  const scrolls = (box) =>
    box.scrollWidth > box.clientWidth + 1 ||
    (getComputedStyle(box).overflowY !== "hidden" && box.scrollHeight > box.clientHeight + 1);
  const reachable = () => {
    for (const box of document.querySelectorAll(".bb-table, .pst-scrollable-table-container, .bb-math, .bd-article pre")) {
      if (scrolls(box)) {
        box.tabIndex = 0;
        if (!box.hasAttribute("role")) box.setAttribute("role", "region");
        if (!box.hasAttribute("aria-label")) box.setAttribute("aria-label", "Scrolls");
      } else if (box.getAttribute("tabindex") === "0") {
        box.removeAttribute("tabindex");
      }
    }
  };
  window.addEventListener("load", reachable);
  window.addEventListener("resize", reachable);
})();
