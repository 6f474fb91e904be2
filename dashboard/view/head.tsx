/** The head of the page: which node, how it is, and whether what is shown is live. */
import { counted, duration } from "../state/format.ts";
import type { Link } from "../state/link.ts";
import { formatAddress } from "../state/page_address.ts";
import type { NodeInfo } from "../state/wire.ts";
import type { Tone } from "./parts.tsx";
import type { Theme } from "./use_theme.ts";

interface HeadProps {
  readonly node: NodeInfo | null;
  readonly link: Link;
  readonly theme: Theme;
  readonly toggle: () => void;
}

/** The head. */
export function Head({ node, link, theme, toggle }: HeadProps) {
  return (
    <header class="head">
      <div class="head-name">
        <h1>{node === null ? "…" : node.name || "this node"}</h1>
        <p class="quiet-text">{node === null ? "" : `${node.version} · up ${duration(node.time - node.startedAt)}`}</p>
      </div>
      <ul class="pills">{node !== null && pillsOf(node).map((pill) => <Pill key={pill.name} {...pill} />)}</ul>
      <div class="head-right">
        <LinkState link={link} />
        <button
          type="button"
          class="button theme"
          onClick={toggle}
          aria-label={`Colours: ${theme}. Change`}
          title={`Colours: ${theme}`}
        >
          <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
            <path d={THEME_ICONS[theme]} />
          </svg>
        </button>
      </div>
    </header>
  );
}

const THEME_ICONS: Readonly<Record<Theme, string>> = {
  system: "M8 2a6 6 0 1 0 0 12zM8 2a6 6 0 0 1 0 12",
  light:
    "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 1v1.500M8 13.500V15M1 8h1.500M13.500 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1",
  dark: "M13.500 9.800A6 6 0 0 1 6.200 2.500a6 6 0 1 0 7.300 7.300z",
};

interface PillProps {
  readonly name: string;
  readonly text: string;
  readonly tone: Tone;
  readonly href: string;
}

function Pill({ name, text, tone, href }: PillProps) {
  return (
    <li>
      <a class={`pill ${tone}`} href={href}>
        <i aria-hidden="true" />
        <span>{name}</span> <b>{text}</b>
      </a>
    </li>
  );
}

function pillsOf({ ready, controlPlane, certificates, pods, time }: NodeInfo): PillProps[] {
  const isReady = ready.pending.length === 0;
  const planeTone = controlPlane === null ? "quiet" : controlPlane.state === "connected" ? "ok" : "bad";
  const { firstExpiry, failing, available } = certificates;
  return [
    {
      name: "Proxy",
      text: isReady ? "ready" : "not ready",
      tone: isReady && ready.trouble === null ? "ok" : "warn",
      href: formatAddress("mesh"),
    },
    {
      name: "Control plane",
      text: controlPlane === null ? "none" : controlPlane.state === "waiting" ? "not connected" : controlPlane.state,
      tone: planeTone,
      href: formatAddress("mesh"),
    },
    {
      name: "Certificates",
      text: failing > 0
        ? counted(failing, "failure")
        : firstExpiry === null
        ? `${available}`
        : `${available}, ${duration(Math.max(0, firstExpiry - time))} left`,
      tone: failing > 0 ? "bad" : available > 0 ? "ok" : "quiet",
      href: formatAddress("certificates"),
    },
    {
      name: "Pods",
      text: pods.pending > 0 ? `${pods.up} served, ${pods.pending} pending` : `${pods.up} served`,
      tone: pods.differences > 0 ? "bad" : pods.pending > 0 ? "warn" : "ok",
      href: formatAddress("pods"),
    },
  ];
}

function LinkState({ link }: { link: Link }) {
  const text = link.state === "live"
    ? "Live"
    : link.state === "lost"
    ? "Connection lost, trying again"
    : link.failures > 0
    ? "Connecting again"
    : "Connecting";
  return (
    <p class={`link-state ${link.state}`} role="status">
      <i aria-hidden="true" />
      {text}
    </p>
  );
}
