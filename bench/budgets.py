"""What each measured figure may cost, and which raw figure of the same run it is compared with."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """A figure's limit and aim. `more_is_better` turns the comparison around.

    `raw` names the figure of the raw limits that the ratio is taken to, "" if there is none.
    """

    title: str
    unit: str
    limit: float
    aim: float
    raw: str = ""
    more_is_better: bool = False

    def is_met(self, value: float) -> bool:
        """Whether a measured value keeps the limit."""
        return value >= self.limit if self.more_is_better else value <= self.limit

    def ratio(self, value: float, raw: float) -> float:
        """How far from the raw limit: 1.0 is as good as it, larger is worse."""
        return raw / value if self.more_is_better else value / raw


BUDGETS: dict[str, Budget] = {
    "first_invoke_ms": Budget("first invoke of a new function, p50", "ms", 5, 2.5, "fork_ns_ms"),
    "nodejs_first_ms": Budget("first invoke of a new Node.js function, p50", "ms", 25, 10),
    "warm_ms": Budget("warm invoke, one client, p50", "ms", 0.20, 0.10, "hop_1_ms"),
    "hello_32_per_s": Budget("hello, 32 clients", "/s", 14_000, 22_000, "hop_32_per_s", True),
    "echo_32_per_s": Budget("10 KB echo, 32 clients", "/s", 5_000, 8_000, "hop_echo_per_s", True),
    "sleep_32_per_s": Budget("50 ms sleepers, 32 clients", "/s", 600, 630, "ideal_sleep", True),
    "burst_ms": Budget("50 first invokes at once of 200 ms", "ms", 400, 260, "ideal_burst"),
    "memory_mb": Budget("memory (PSS) per idle environment", "MB", 3, 1.8),
    "create_ms": Budget("create until Active", "ms", 20, 5),
    "update_ms": Budget("update until new code answers", "ms", 30, 10),
    "snapshot_ms": Budget("first invoke from a snapshot, numpy and pandas, p50", "ms", 12, 6),
    "start_ms": Budget("server start until ready", "ms", 600, 300),
    "many_start_ms": Budget("start with 2,000 functions of 5 versions", "ms", 1_000, 500),
    "many_list_ms": Budget("a page of 50 of them, p50", "ms", 10, 5),
    "many_get_ms": Budget("GetFunction among them, p50", "ms", 10, 3),
    "many_create_ms": Budget("CreateFunction beside them, p50", "ms", 10, 5),
    "many_update_ms": Budget("UpdateFunctionConfiguration among them, p50", "ms", 10, 5),
    "stream_first_ms": Budget("first piece of a stream, write to read, p50", "ms", 5, 0.5),
    "stream_growth_mb": Budget("memory the server grows by, for a stream of 199 MB", "MB", 8, 1),
    "url_stream_first_ms": Budget("first piece through a function URL, p50", "ms", 5, 0.5),
    "overload_ratio": Budget("p50 of others, at 4 times a function's concurrency", "x", 1.2, 1.05),
    "events_per_s": Budget(
        "events accepted and on disk, 32 clients", "/s", 6_000, 15_000, "", True
    ),
    "backlog_growth_mb": Budget("memory of the server for 100,000 waiting events", "MB", 16, 4),
    "backlog_ratio": Budget("p50 of other calls, beside them", "x", 1.2, 1.05),
    "freeze_ms": Budget("freeze and thaw, added to a warm invoke", "ms", 0.1, 0.03),
}

# Figures without a budget that are shown beside the others.
OTHERS: dict[str, tuple[str, str, str]] = {
    "first_invoke_p95_ms": ("first invoke of a new function, p95", "ms", ""),
    "python_first_ms": ("Python: first invoke after a rest, p50", "ms", ""),
    "python_warm_ms": ("Python: warm invoke, p50", "ms", "hop_1_ms"),
    "nodejs_warm_ms": ("Node.js: warm invoke, p50", "ms", "hop_1_ms"),
    "backlog_start_ms": ("start of a server with 100,000 waiting events", "ms", ""),
    "ruby_first_ms": ("Ruby: first invoke, p50", "ms", ""),
    "ruby_warm_ms": ("Ruby: warm invoke, p50", "ms", "hop_1_ms"),
    "java_first_ms": ("Java: first invoke, p50", "ms", ""),
    "java_warm_ms": ("Java: warm invoke, p50", "ms", "hop_1_ms"),
    "second_invoke_ms": ("second invoke of it, p50", "ms", ""),
    "warm_p99_ms": ("warm invoke, one client, p99", "ms", ""),
    "stream_first_p99_ms": ("first piece of a stream, write to read, p99", "ms", ""),
    "url_ms": ("warm call of a function URL, one client, p50", "ms", "hop_1_ms"),
    "url_p99_ms": ("the same, p99", "ms", ""),
    "url_stream_first_p99_ms": ("first piece through a function URL, p99", "ms", ""),
    "overload_quiet_ms": ("warm invoke every 10 ms, nothing else, p50", "ms", ""),
    "overload_ms": ("the same beside a function at 4 times its concurrency, p50", "ms", ""),
    "stream_mb_per_s": ("a stream of 199 MB, one client", "MB/s", ""),
    "stream_ahead_mb": ("written and not read, after a second without reading", "MB", ""),
    "stream_later_ms": ("later pieces of a stream, write to read, p50", "ms", ""),
    "hello_1_per_s": ("hello, 1 client", "/s", "hop_1_per_s"),
    "hello_8_per_s": ("hello, 8 clients", "/s", "hop_8_per_s"),
    "print_32_per_s": ("hello that prints a line, 32 clients", "/s", "hop_32_per_s"),
    "small_32_per_s": ("hello with 128 MB, 32 clients: the processor limit", "/s", ""),
    "snapshot_p95_ms": ("the same, p95", "ms", ""),
    "snapshot_publish_ms": ("publish until its snapshot is there, p50", "ms", ""),
    "snapshot_mb": ("memory (PSS) of it for each of 100 environments", "MB", ""),
    "server_mb": ("memory (PSS) of the server before any function", "MB", ""),
    "stop_ms": ("SIGTERM until the server has ended", "ms", ""),
}

RAW_TITLES: dict[str, tuple[str, str]] = {
    "fork_ms": ("fork of a bare Python, p50", "ms"),
    "fork_ns_ms": ("fork of it into mount, pid, ipc, uts and net namespaces, p50", "ms"),
    "constant_1_ms": ("uvloop server with a constant answer, one client, p50", "ms"),
    "constant_32_per_s": ("the same, 32 clients", "/s"),
    "hop_1_ms": ("the same with a hop to a worker process, one client, p50", "ms"),
    "hop_1_per_s": ("the same with a hop, 1 client", "/s"),
    "hop_8_per_s": ("the same with a hop, 8 clients, 2 workers", "/s"),
    "hop_32_per_s": ("the same with a hop, 32 clients, 2 workers", "/s"),
    "hop_echo_per_s": ("10 KB through the hop, parsed and written by the worker", "/s"),
    "ideal_sleep": ("32 clients, 50 ms each, nothing else", "/s"),
    "ideal_burst": ("200 ms, nothing else", "ms"),
}
