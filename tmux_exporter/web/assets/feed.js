// The reports as they come: events while the server has room for another viewer, else by asking.

const ASK_SECONDS = 5;
const STREAM_AGAIN_SECONDS = 30;
const HIDDEN_SECONDS = 30;

// Calls state("live" | "asking" | "waiting" | "lost"), now(seconds of the server's clock), report(object).
export function follow({ state, now, report }) {
  let source = null;
  let timers = [];

  function stop() {
    source?.close();
    source = null;
    timers.forEach(clearTimeout);
    timers = [];
  }

  function later(seconds, action) {
    timers.push(setTimeout(action, seconds * 1000));
  }

  function stream() {
    stop();
    const mine = new EventSource("api/v1/events");
    source = mine;
    mine.addEventListener("open", () => state("waiting"));
    mine.addEventListener("now", (event) => now(Number(event.data)));
    mine.addEventListener("report", (event) => {
      state("live");
      report(JSON.parse(event.data));
    });
    mine.addEventListener("error", () => {
      if (mine !== source) return;
      // Closed means refused: the browser will not try again, for example because all places are taken.
      if (mine.readyState === EventSource.CLOSED) {
        stop();
        ask();
        later(STREAM_AGAIN_SECONDS, stream);
      } else {
        state("lost");
      }
    });
  }

  async function ask() {
    later(ASK_SECONDS, ask);
    try {
      const answer = await fetch("api/v1/report", { cache: "no-store" });
      if (answer.ok) {
        const date = Date.parse(answer.headers.get("date")) / 1000;
        if (!Number.isNaN(date)) now(date);
        state("asking");
        report(await answer.json());
      } else {
        state("waiting");
      }
    } catch {
      state("lost");
    }
  }

  async function glance() {
    if (!document.hidden) return;
    later(HIDDEN_SECONDS, glance);
    try {
      const answer = await fetch("api/v1/report", { cache: "no-store" });
      if (answer.ok && document.hidden) report(await answer.json());
    } catch {
      // Who comes back to the page will see it.
    }
  }

  // A page that nobody sees holds no place: it asks now and then, for its title and notifications.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      stop();
      later(HIDDEN_SECONDS, glance);
    } else {
      stream();
    }
  });
  if (!document.hidden) stream();
}
