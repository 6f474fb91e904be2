/** Dark or light: as the system says, or as the reader chose. */
import { useEffect, useState } from "preact/hooks";

/** `system`: as the browser says. */
export type Theme = "system" | "light" | "dark";

const KEY = "ztunnel-theme";
const NEXT: Readonly<Record<Theme, Theme>> = { system: "light", light: "dark", dark: "system" };

/** The theme, whether that is dark, and what the switch does. */
export function useTheme(): { readonly theme: Theme; readonly isDark: boolean; readonly toggle: () => void } {
  const [theme, setTheme] = useState<Theme>(stored());
  const [systemIsDark, setSystem] = useState(query().matches);
  useEffect(() => {
    const dark = query(), changed = () => setSystem(dark.matches);
    dark.addEventListener("change", changed);
    return () => dark.removeEventListener("change", changed);
  }, []);
  // Before the children draw: charts read their colours from the document.
  document.documentElement.dataset["theme"] = theme;
  return {
    theme,
    isDark: theme === "dark" || theme === "system" && systemIsDark,
    toggle() {
      store(NEXT[theme]);
      setTheme(NEXT[theme]);
    },
  };
}

function query(): MediaQueryList {
  return matchMedia("(prefers-color-scheme: dark)");
}

function stored(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : "system";
  } catch {
    // Storage is switched off.
    return "system";
  }
}

function store(theme: Theme): void {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // As above: the choice then lasts as long as the page.
  }
}
