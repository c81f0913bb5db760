import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const BUILT = "../src/srt_router/console";

/** Packs what is served, once and well, so that the server never has to. */
function packed(): Plugin {
  return {
    name: "packed",
    apply: "build",
    closeBundle() {
      const folders = [BUILT, join(BUILT, "assets")];
      for (const folder of folders) {
        for (const name of readdirSync(folder)) {
          if (/\.(js|css|html|svg)$/.test(name)) {
            const file = join(folder, name);
            writeFileSync(`${file}.gz`, gzipSync(readFileSync(file), { level: 9 }));
          }
        }
      }
    },
  };
}

export default defineConfig({
  plugins: [react(), packed()],
  build: { outDir: BUILT, emptyOutDir: true, assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  server: {
    // `npm run dev`: the page comes from Vite, everything else from a server on this machine.
    proxy: {
      "/api": { target: process.env.SRT_ROUTER_URL ?? "http://127.0.0.1:8080", ws: true },
      "/docs": process.env.SRT_ROUTER_URL ?? "http://127.0.0.1:8080",
    },
  },
});
