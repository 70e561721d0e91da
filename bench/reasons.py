"""Why a goal may be missed, by subject: the page shows those of the goals that are."""

REASONS = {
    "cpu": "Of a sample at rest most is not reading: attribution, accounts, families and the page are made "
    "anew for every pane each time, in Python.",
    "alone": "The plain reader reads everything of every process of this user; psutil reads only the members "
    "of panes.",
    "growth": "What is done for each process that belongs to no pane is done again in every sample.",
    "tmux": "The windows also hold what the server does for itself and for its panes.",
    "accuracy": "A process that nobody waits for is charged to its pane only as far as a sample saw it.",
    "memory": "Between two readings a figure goes on from the last one; on a busy machine a pause is also "
    "the time in which the process had no CPU.",
    "size": "Prometheus' client library, the HTTP server and the facts of each process make up most of it.",
    "scrape": "The page is rendered once for all scrapers, but sent by the same interpreter that takes the "
    "samples: a scrape that meets a sample waits for it.",
}
