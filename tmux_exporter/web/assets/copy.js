// A command and the button that copies it.

import { element } from "./table.js";

export class Command {
  constructor() {
    this.code = element("code");
    this.button = element("button", { type: "button", textContent: "Copy" });
    this.button.addEventListener("click", () => this.#copy());
    this.node = element("span", { className: "step" }, this.code, this.button);
  }

  show(command, whose) {
    if (this.code.textContent !== command) this.code.textContent = command;
    this.code.title = command;
    this.button.setAttribute("aria-label", `Copy the command for ${whose}`);
  }

  // A page that is no secure context may not write to the clipboard: then the command is selected.
  async #copy() {
    try {
      await navigator.clipboard.writeText(this.code.textContent);
      this.button.textContent = "Copied";
      setTimeout(() => (this.button.textContent = "Copy"), 2000);
    } catch {
      getSelection().selectAllChildren(this.code);
    }
  }
}
