// A desktop notification when an agent begins to wait: off until somebody asks for it, on this page only.

import { isWaiting } from "./needs.js";
import { agentPlace } from "./places.js";
import { REASONS } from "./words.js";

const KEPT = "tmux_exporter.notify";

export class Notifier {
  #waiting = null;

  constructor(button) {
    this.button = button;
    button.title = "A notification of this desktop when an agent begins to wait";
    button.hidden = !("Notification" in window) || !window.isSecureContext;
    button.addEventListener("click", () => this.#turn());
    this.#show();
  }

  get on() {
    return !this.button.hidden && Notification.permission === "granted" && localStorage.getItem(KEPT) === "on";
  }

  async #turn() {
    const next = this.on ? "off" : "on";
    if (next === "on" && (await Notification.requestPermission()) !== "granted") return;
    localStorage.setItem(KEPT, next);
    this.#show();
  }

  #show() {
    this.button.setAttribute("aria-pressed", `${this.on}`);
  }

  take({ agents }) {
    const waiting = new Map(agents.filter(isWaiting).map((each) => [agentPlace(each), each]));
    for (const [place, agent] of waiting) {
      if (this.#waiting === null || this.#waiting.has(place) || !this.on) continue;
      const body = `${REASONS[agent.waiting_reason] ?? "for a person"}, in ${agent.session}`;
      const told = new Notification(`${agent.agent} waits`, { body, tag: place });
      told.addEventListener("click", () => {
        window.focus();
        location.hash = place;
      });
    }
    this.#waiting = waiting;
  }
}
