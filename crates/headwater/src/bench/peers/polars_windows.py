"""Computes five windowed features with Polars for `headwater bench features`.

Reads columns of events (8 bytes a number, in time order, milliseconds), then one JSON order a line on standard input:
which way to compute them. Answers each with its seconds and the sum of each feature. Reading does not count; what is
timed ends with one frame of five columns in the order of the events.
"""

import json
import os
import sys
import time

folder, events, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if threads:
    os.environ["POLARS_MAX_THREADS"] = str(threads)

import numpy
import polars
from polars import col

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
# Name, entity, what is added up, window, hop of the tail; in the order of our columns, by name.
FEATURES = [
    ("item_clicks_1h", ("item",), ("click",), HOUR, 5 * MINUTE),
    ("item_ctr_1d", ("item",), ("click", "shown"), DAY, HOUR),
    ("user_category_clicks_7d", ("user", "category"), ("click",), 7 * DAY, HOUR),
    ("user_clicks_1d", ("user",), ("click",), DAY, HOUR),
    ("user_spent_7d", ("user",), ("spent",), 7 * DAY, HOUR),
]
NAMES = [name for name, *_ in FEATURES]


def load():
    def column(name, kind):
        return numpy.fromfile(os.path.join(folder, name), dtype=kind)

    names = ("time", "user", "item", "category", "kind")
    frame = polars.DataFrame({name: column(name, numpy.int64) for name in names})
    frame = frame.with_columns(polars.Series("value", column("value", numpy.float64)))
    assert frame["time"].is_sorted() and frame.height == events
    return frame


def key(entity):
    return col("user") * 64 + col("category") if len(entity) == 2 else col(entity[0])


def with_amounts(frame):
    return frame.lazy().with_columns(
        click=(col("kind") == 1).cast(polars.Int64),
        shown=(col("kind") <= 1).cast(polars.Int64),
        spent=polars.when(col("kind") == 2).then(col("value")).otherwise(0.0),
    )


def value(name, amounts):
    """The feature of window totals."""
    made = (amounts[0] + 1) / (amounts[1] + 20) if len(amounts) == 2 else amounts[0]
    return made.alias(name)


def asof_by(frame):
    """Running totals by entity; the total at the tail of the window by an as-of join by entity."""
    made = []
    base = with_amounts(frame)
    for name, entity, amounts, window, hop in FEATURES:
        totals = [col(a).cum_sum().over("key").alias(f"total_{a}") for a in amounts]
        left = base.select("time", *amounts, key=key(entity)).with_columns(totals)
        counted = polars.any_horizontal([col(a) != 0 for a in amounts])
        tails = left.filter(counted).select("key", "time", *[col(f"total_{a}").alias(f"tail_{a}") for a in amounts])
        joined = left.with_columns(tail=(col("time") - window) // hop * hop).join_asof(
            tails,
            left_on="tail",
            right_on="time",
            by="key",
            strategy="backward",
            allow_exact_matches=False,
            check_sortedness=False,
        )
        parts = [col(f"total_{a}") - col(a) - col(f"tail_{a}").fill_null(0) for a in amounts]
        made.append(joined.select(value(name, parts)))
    return polars.concat(polars.collect_all(made), how="horizontal").select(NAMES)


def asof_merged(frame):
    """The same with one sorted column that holds entity and time: the join needs no grouping, the totals neither."""
    start = int(frame["time"][0]) // DAY * DAY - 8 * DAY
    span = 1 << (int(frame["time"][-1]) - start).bit_length()
    made = []
    base = with_amounts(frame).with_row_index("row")
    for entity in (("user",), ("item",), ("user", "category")):
        features = [feature for feature in FEATURES if feature[1] == entity]
        needed = sorted({a for feature in features for a in feature[2]})
        rows = base.select("row", "time", *needed, key=key(entity) * span - start)
        rows = rows.with_columns(at=col("key") + col("time")).sort("at")
        rows = rows.with_columns([col(a).cum_sum().alias(f"total_{a}") for a in needed])
        for name, _, amounts, window, hop in features:
            # Before the first event of an entity stands the last one of the entity before it: that total is the base.
            tails = rows.select(tail_at="at", **{f"tail_{a}": f"total_{a}" for a in amounts})
            joined = rows.with_columns(tail=col("key") + (col("time") - window) // hop * hop).join_asof(
                tails,
                left_on="tail",
                right_on="tail_at",
                strategy="backward",
                allow_exact_matches=False,
                check_sortedness=False,
            )
            parts = [col(f"total_{a}") - col(a) - col(f"tail_{a}").fill_null(0) for a in amounts]
            rows = joined.with_columns(value(name, parts)).drop([f"tail_{a}" for a in amounts] + ["tail"])
        made.append(rows.sort("row").select([name for name, *_ in features]))
    return polars.concat(polars.collect_all(made), how="horizontal").select(NAMES)


def rolling(frame):
    """Rolling sums by entity; their tails slide."""
    made = []
    for name, entity, amounts, window, _ in FEATURES:
        parts = [
            col(a).rolling_sum_by("time", window_size=f"{window}i", closed="left").over(list(entity)) for a in amounts
        ]
        made.append(value(name, parts))
    return with_amounts(frame).select(made).collect()


WAYS = {"asof_by": asof_by, "asof_merged": asof_merged, "rolling": rolling}


def main():
    frame = load()
    print(json.dumps({"version": polars.__version__, "threads": polars.thread_pool_size()}), flush=True)
    for line in sys.stdin:
        compute = WAYS[json.loads(line)["way"]]
        clock, core = time.perf_counter(), time.process_time()
        made = compute(frame)
        clock, core = time.perf_counter() - clock, time.process_time() - core
        sums = [float(total) for total in made.sum().row(0)]
        print(json.dumps({"core": core, "clock": clock, "sums": sums}), flush=True)


main()
