/** Small parts of which the views are made. */
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

/** What a colour means. */
export type Tone = "ok" | "warn" | "bad" | "quiet" | "accent";

/** A part of a view with a title. `aside`: at the right of the title. */
export function Card(
  { title, aside, children, flush = false }: {
    title: string;
    aside?: ComponentChildren;
    children: ComponentChildren;
    /** The content reaches the edges, as tables do. */
    flush?: boolean;
  },
) {
  const id = useId();
  return (
    <section class={`card${flush ? " flush" : ""}`} aria-labelledby={id}>
      <header class="card-head">
        <h2 id={id}>{title}</h2>
        {aside !== undefined && <div class="card-aside">{aside}</div>}
      </header>
      <div class="card-body">{children}</div>
    </section>
  );
}

/** A short text in a colour. */
export function Badge({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  return <span class={`badge ${tone}`}>{children}</span>;
}

/** Says what would be here. */
export function Empty({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      <p>{children}</p>
    </div>
  );
}

/** Why there is nothing newer. */
export function Problem({ text }: { text: string | null }) {
  return text === null ? null : <p class="problem" role="status">Not up to date: {text}</p>;
}

/** While the first answer is awaited. */
export function Loading() {
  return <p class="loading" role="status">Loading…</p>;
}

/** A text field with its label. */
export function Field(
  { label, value, onInput, placeholder = "", list, required = false }: {
    label: string;
    value: string;
    onInput: (value: string) => void;
    placeholder?: string;
    /** Id of a list of suggestions. */
    list?: string;
    required?: boolean;
  },
) {
  return (
    <label class="field">
      <span>{label}</span>
      <input
        type="text"
        value={value}
        placeholder={placeholder}
        list={list}
        required={required}
        spellcheck={false}
        autocomplete="off"
        onInput={({ currentTarget }) => onInput(currentTarget.value)}
      />
    </label>
  );
}

/** A choice with its label. */
export function Choice(
  { label, value, options, onChange }: {
    label: string;
    value: string;
    options: readonly (readonly [value: string, text: string])[];
    onChange: (value: string) => void;
  },
) {
  return (
    <label class="field">
      <span>{label}</span>
      <select value={value} onChange={({ currentTarget }) => onChange(currentTarget.value)}>
        {options.map(([one, text]) => <option key={one} value={one}>{text}</option>)}
      </select>
    </label>
  );
}

/** Some choices side by side, of which one holds. */
export function Segments<Value extends string>(
  { label, value, options, onChange }: {
    label: string;
    value: Value;
    options: readonly (readonly [value: Value, text: string])[];
    onChange: (value: Value) => void;
  },
) {
  return (
    <div class="segments" role="group" aria-label={label}>
      {options.map(([one, text]) => (
        <button
          key={one}
          type="button"
          aria-pressed={one === value}
          onClick={() => onChange(one)}
        >
          {text}
        </button>
      ))}
    </div>
  );
}

/** Names with their values. */
export function Facts({ rows }: { rows: readonly (readonly [name: string, value: ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
