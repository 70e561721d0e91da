"""Why a goal may be missed, by subject: the page shows those of the goals that are."""

REASONS = {
    "cpu": "Below is what a window consists of, by the clocks of the running daemon. The kernel alone takes "
    "1.7 ms of it at 50 panes and 3.5 ms at 200 (the same calls without anything around them), a scrape "
    "through uvicorn and h11 1.4 ms. The rest is flat: a sample at rest makes 9,900 calls of functions at "
    "50 panes and 16,100 at 200 (cProfile), 360 and 1,410 of them clocks of processes and 180 other system "
    "calls, and no function of ours takes more than 3 % of it. Of a process that ran the kernel takes 33 of "
    "54 us. It is done once in 15 s and finds the caches of the processor cold: the same samples one after "
    "the other cost half. process-exporter reads more of /proc and concludes less (D40).",
    "alone": "At rest the reader asks for the CPU clock of every process of this user, not only of the "
    "members of panes, and looks at a part of them again in turn. Of one that ran it reads stat, status, io, "
    "limits and the number of open files, for the memory headline, swap and the ratio of descriptors; the "
    "goal was set for four files.",
    "growth": "Processes of other users are not asked in a sample, but each minute's listing and what is "
    "kept of them grow with their number, and what the caches of the processor hold does not.",
    "tmux": "A listing costs the server what its panes and formats cost; where that is more than 0.4 % of a "
    "core the exporter asks less often. The pace rests on the cheapest of its last three listings, so that "
    "the mean of them is a little dearer; and a busy machine makes the same work dearer.",
    "accuracy": "A process that nobody waits for is charged to its pane only as far as a sample saw it.",
    "memory": "Between two readings a figure goes on from the last one; on a busy machine a pause is also "
    "the time in which the process had no CPU.",
    "size": "Python alone takes 9 MiB; 20 more are there before the first sample: our own modules (10), "
    "asyncio, uvicorn and h11 (3), Prometheus' client library, click, typing and logging. The rest are the "
    "facts of every process, and the page with its lines kept.",
    "agents": "Measured as the difference to samples of the same panes by a sampler that knows no program, "
    "in turns; it holds the sums of agents, and whatever else is shown of them: some forty microseconds of "
    "Python for each. On a busy machine the same work is dearer; the least of all rounds is below.",
    "spending": "A thread parses lines with usage; samples share one interpreter with it, and "
    "on a busy machine both wait for a processor.",
    "scrape": "A scrape that meets a sample shares one interpreter with it, and waits; on a busy machine "
    "both wait for a processor.",
    "churn": "A tool is one process that appears and one that ends: some thirty system calls until it is "
    "known, then its owner, its pane and session, and their lines on the page are worked out anew. The "
    "columns of tools below, less those at rest, are what that costs by stage.",
    "burst": "The facts of a burst are gone with it, and its large blocks go back. What stays are arenas of "
    "Python's allocator: in each of them something small lives that was made meanwhile (D22).",
    "forked": "The exporter asks for the CPU clock of each process of a pane in every sample.",
    "series": "Closed lists are exported as 0 (D19); what is there counts with all that it has.",
}
