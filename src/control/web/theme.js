// Before anything is drawn: the theme that was chosen, so that nothing flashes.
(() => {
  const chosen = localStorage.getItem("holdfast.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
