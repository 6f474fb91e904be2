/** Colours of the style sheet, for what is drawn on a canvas. */

/** The value of a custom property such as `--blue`, as the theme has it now. */
export function colourOf(name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  probe.hidden = true;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
