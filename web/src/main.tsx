import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/wall.css";
import "./styles/pages.css";
import "uplot/dist/uPlot.min.css";
import { App } from "./app";
import { applyTheme, storedTheme } from "./parts/preferences";

applyTheme(storedTheme());
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
