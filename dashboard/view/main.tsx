/** The entry of the page. `deno task dashboard` bundles it. */
import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "../style/base.css";
import "../style/frame.css";
import "../style/parts.css";
import "../style/tables.css";
import "../style/charts.css";
import "../style/map.css";
import "../style/flows.css";
import "../style/certificates.css";
import "../style/explain.css";
import "../style/narrow.css";
import { App } from "./app.tsx";

const place = document.getElementById("page")!;
place.replaceChildren();
render(<App />, place);
