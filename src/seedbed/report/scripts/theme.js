// A switch between light and dark; until it is used, the page follows the system.

{
  const KEY = "seedbed-theme";
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const stored = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // storage is off
    }
  };
  const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const button = make("button", { type: "button", class: "theme" });

  const show = () => {
    button.textContent = isDark() ? "Light mode" : "Dark mode";
  };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem(KEY, root.dataset.theme);
    } catch {
      // the choice lasts as long as the page
    }
    show();
  });
  if (["light", "dark"].includes(stored())) root.dataset.theme = stored();
  system.addEventListener("change", show);
  show();
  document.body.prepend(button);
}
