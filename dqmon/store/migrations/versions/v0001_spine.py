"""The first version: everything that dqmon remembers.

Values and verdicts, alerts, incidents and groups, the outbox, load records, due slots and leases.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

INSTANT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# Every word here is the same on SQLite and PostgreSQL. A score weighs results by severity.
DAILY_SCORE = """
create view dq_daily_score as
select
    warehouse,
    dataset,
    day,
    sum(passed) as passed,
    sum(judged) as judged,
    cast(sum(passed * weight) as double precision) / nullif(sum(judged * weight), 0) as score,
    cast(sum(judged) as double precision) / count(*) as coverage
from (
    select
        warehouse,
        dataset,
        day,
        case when verdict = 'pass' then 1 else 0 end as passed,
        case when verdict in ('pass', 'warn', 'fail') then 1 else 0 end as judged,
        case severity when 'critical' then 8 when 'error' then 4 when 'warning' then 2 else 1 end as weight
    from dq_results
    where is_current and dataset is not null
) as counted
group by warehouse, dataset, day
"""


def upgrade() -> None:
    """Creates all tables and the view."""
    _alert_events()
    _alerts()
    _backlogs()
    _deliveries()
    _edges()
    _exposures()
    _groups()
    _incidents()
    _leases()
    _loads()
    _measurements()
    _meta()
    _outages()
    _page_events()
    _pipelines()
    _results()
    _runs()
    _schemas()
    _fragments()
    _slots()
    _sources()
    _statements()
    _incident_members()
    _feedback()
    _silences()
    op.execute(DAILY_SCORE)


def _alert_events() -> None:
    op.create_table(
        "dq_alert_events",
        sa.Column("id", BIG_ID),
        sa.Column("check_id", sa.Text, nullable=False),
        sa.Column("alert_kind", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("slot", INSTANT, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("used_at", INSTANT, comment="when the second step took it; NULL: not yet"),
        sa.Column("held_until", INSTANT, comment="the second step looks at it again then, to know first what its ancestors say"),
        sa.PrimaryKeyConstraint("id", name="pk_dq_alert_events"),
    )
    op.create_index("ix_dq_alert_events_check_id_id", "dq_alert_events", ["check_id", "id"])
    op.create_index(
        "ix_dq_alert_events_unused",
        "dq_alert_events",
        ["id"],
        sqlite_where=sa.text("used_at IS NULL"),
        postgresql_where=sa.text("used_at IS NULL"),
    )


def _alerts() -> None:
    op.create_table(
        "dq_alerts",
        sa.Column("check_id", sa.Text),
        sa.Column("kind", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column(
            "members", sa.Text, nullable=False, comment="bad partitions and segments: [[partition, segment, verdict, since, ...], ...]"
        ),
        sa.Column("streak", sa.Integer, nullable=False),
        sa.Column("since", INSTANT),
        sa.Column("fired_at", INSTANT),
        sa.Column("recovering_since", INSTANT),
        sa.Column("resolved_at", INSTANT),
        sa.Column("last_good_at", INSTANT),
        sa.Column(
            "recent",
            sa.Text,
            nullable=False,
            comment="the last outcomes, the newest last: x fail, w warn, . good; before them: good",
        ),
        sa.Column("flapping_since", INSTANT, comment="its outcomes change too often for each change to be told"),
        sa.Column("missing_since", INSTANT, comment="the configuration has no such check since then"),
        sa.PrimaryKeyConstraint("check_id", "kind", name="pk_dq_alerts"),
    )
    op.create_index("ix_dq_alerts_state", "dq_alerts", ["state"])


def _backlogs() -> None:
    op.create_table(
        "dq_backlogs",
        sa.Column("source", sa.Text),
        sa.Column("pipeline", sa.Text),
        sa.Column("partition", sa.Text, comment="empty: the pipeline as a whole"),
        sa.Column("unit", sa.Text, comment="messages, files, bytes or seconds"),
        sa.Column("pending", sa.BigInteger, nullable=False),
        sa.Column("observed_at", INSTANT, nullable=False),
        sa.Column("oldest_pending_at", INSTANT),
        sa.PrimaryKeyConstraint("source", "pipeline", "partition", "unit", name="pk_dq_backlogs"),
    )
    op.create_table(
        "dq_backlog_samples",
        sa.Column("source", sa.Text),
        sa.Column("pipeline", sa.Text),
        sa.Column("unit", sa.Text, comment="messages, files, bytes or seconds"),
        sa.Column("minute", INSTANT, comment="in which it was polled; the last poll of a minute counts"),
        sa.Column("pending", sa.BigInteger, nullable=False, comment="of all partitions; of seconds, in the one that is farthest behind"),
        sa.PrimaryKeyConstraint("source", "pipeline", "unit", "minute", name="pk_dq_backlog_samples"),
    )
    op.create_index("ix_dq_backlog_samples_minute", "dq_backlog_samples", ["minute"])


def _deliveries() -> None:
    op.create_table(
        "dq_deliveries",
        sa.Column("sequence", BIG_ID, comment="the order of sending within one channel and group"),
        sa.Column("id", sa.Text, nullable=False, comment="random; sent along, so that an uncertain sending can be looked up"),
        sa.Column("group_id", sa.Text, nullable=False, comment="dq_groups.id; of a digest: its time and owner"),
        sa.Column("incident_id", sa.Text, nullable=False, comment="dq_incidents.id; empty of a digest"),
        sa.Column("channel", sa.Text, nullable=False, comment="its name in the configuration"),
        sa.Column("dedup_key", sa.Text, nullable=False, comment="the vendor's key of the message or incident"),
        sa.Column("kind", sa.Text, nullable=False, comment="trigger, update, repeat, acknowledge, resolve, digest"),
        sa.Column("part", sa.Text, nullable=False, comment="the request of several that tell one message: post, edit, reply, event"),
        sa.Column("rank", sa.Integer, nullable=False, comment="0 info .. 3 critical; higher ones are sent first"),
        sa.Column("message", sa.Text, nullable=False, comment="what is told, before the channel gives it its form"),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False, comment="how often sending was begun"),
        sa.Column("not_before", INSTANT, comment="the next attempt; NULL: at once"),
        sa.Column("lease_token", sa.Text, comment="who sends it now; only the holder may mark the row"),
        sa.Column("lease_until", INSTANT, comment="afterwards another sender takes over"),
        sa.Column("is_uncertain", sa.Boolean, nullable=False, comment="a sending broke off: the vendor may have it"),
        sa.Column("state", sa.Text, nullable=False, comment="queued, sent, dead (given up), not_sent (on purpose)"),
        sa.Column("reason", sa.Text, nullable=False, comment="why not sent, why tried again; empty when all went well"),
        sa.Column("sent_at", INSTANT),
        sa.Column("payload", sa.Text, comment="what was rendered, in the vendor's form, without secrets"),
        sa.Column("text", sa.Text, nullable=False, comment="the same for people"),
        sa.PrimaryKeyConstraint("sequence", name="pk_dq_deliveries"),
        sa.UniqueConstraint("id", name="uq_dq_deliveries_id"),
    )
    op.create_index("ix_dq_deliveries_group_id_sequence", "dq_deliveries", ["group_id", "sequence"])
    op.create_index("ix_dq_deliveries_incident_id_sequence", "dq_deliveries", ["incident_id", "sequence"])
    op.create_index("ix_dq_deliveries_state_channel_group_id_sequence", "dq_deliveries", ["state", "channel", "group_id", "sequence"])


def _edges() -> None:
    op.create_table(
        "dq_edges",
        sa.Column("source", sa.Text, comment="as under ingestion: in the configuration"),
        sa.Column("child", sa.Text, comment="warehouse:dataset, source/pipeline, or exposure:/name"),
        sa.Column("parent", sa.Text, comment="what the child is made from"),
        sa.Column("seen_at", INSTANT, nullable=False, comment="when the source said so last, to within a day"),
        sa.PrimaryKeyConstraint("source", "child", "parent", name="pk_dq_edges"),
    )


def _exposures() -> None:
    op.create_table(
        "dq_exposures",
        sa.Column("source", sa.Text),
        sa.Column("name", sa.Text),
        sa.Column("type", sa.Text, nullable=False, comment="dashboard, notebook, analysis, ml, application"),
        sa.Column("owner", sa.Text),
        sa.Column("url", sa.Text),
        sa.Column("description", sa.Text),
        sa.Column("seen_at", INSTANT, nullable=False, comment="when the source said so last, to within a day"),
        sa.PrimaryKeyConstraint("source", "name", name="pk_dq_exposures"),
    )


def _groups() -> None:
    op.create_table(
        "dq_groups",
        sa.Column("id", sa.Text, comment="random, made when the group opens"),
        sa.Column("key", sa.Text, nullable=False, comment="what the route groups by: an incident's id, an owner, ..."),
        sa.Column("route", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("dedup_key", sa.Text, nullable=False, comment="the vendor's key of the message or incident"),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("incident_ids", sa.Text, nullable=False, comment="list of dq_incidents.id"),
        sa.Column("alert_keys", sa.Text, nullable=False, comment="the alerts that were routed here when they fired"),
        sa.Column("due_at", INSTANT, comment="when the group must be looked at again; NULL: nothing to wait for"),
        sa.Column("last_told_at", INSTANT),
        sa.Column("told_severity", sa.Text, comment="what the last message said"),
        sa.Column("told_members", sa.Text, nullable=False, comment="the alerts that the last message listed"),
        sa.Column("told_acknowledged", sa.Boolean, nullable=False),
        sa.Column("escalation", sa.Integer, nullable=False),
        sa.Column("resolved_at", INSTANT, comment="NULL while open; a resolved group never reopens"),
        sa.Column("muted", sa.Text, nullable=False, comment="the open alerts that are silenced, each with why: {alert: reason}"),
        sa.Column("receipt", sa.Text, comment="the vendor's answer to the first message: {reference: {...}, detail}"),
        sa.PrimaryKeyConstraint("id", name="pk_dq_groups"),
    )
    op.create_index("ix_dq_groups_due_at", "dq_groups", ["due_at"])
    op.create_index("ix_dq_groups_resolved_at_channel", "dq_groups", ["resolved_at", "channel"])


def _incidents() -> None:
    op.create_table(
        "dq_incidents",
        sa.Column("id", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("root_check_id", sa.Text, nullable=False, comment="the alert that explains the others"),
        sa.Column("root_kind", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("resolved_at", INSTANT),
        sa.Column("acknowledged_at", INSTANT),
        sa.Column("acknowledged_by", sa.Text),
        sa.Column("closed_by_hand", sa.Text, comment="who closed it, where a person did"),
        sa.PrimaryKeyConstraint("id", name="pk_dq_incidents"),
    )
    op.create_index("ix_dq_incidents_opened_at", "dq_incidents", ["opened_at"])
    op.create_index("ix_dq_incidents_state", "dq_incidents", ["state"])


def _leases() -> None:
    op.create_table(
        "dq_leases",
        sa.Column("name", sa.Text),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_dq_leases"),
    )


def _loads() -> None:
    op.create_table(
        "dq_loads",
        sa.Column("source", sa.Text, comment="as under ingestion: in the configuration"),
        sa.Column("pipeline", sa.Text),
        sa.Column("load_id", sa.Text, comment="the tool's own id"),
        sa.Column("attempt", sa.Integer, autoincrement=False),
        sa.Column("table", sa.Text, comment="empty: the load as a whole"),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("observed_at", INSTANT, nullable=False, comment="when the source was read"),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("raw_status", sa.Text, comment="in the tool's own words"),
        sa.Column("scheduled_for", INSTANT, comment="the fire of the schedule that the run is of"),
        sa.Column("started_at", INSTANT),
        sa.Column("finished_at", INSTANT),
        sa.Column("heartbeat_at", INSTANT),
        sa.Column("rows", sa.BigInteger, comment="NULL: the tool cannot say"),
        sa.Column("rows_rejected", sa.BigInteger),
        sa.Column("schema_version", sa.Text),
        sa.Column("cursor", sa.Text),
        sa.Column("data_through", INSTANT),
        sa.Column("error", sa.Text),
        sa.Column("extra", sa.Text, nullable=False),
        sa.Column("happened_at", INSTANT, nullable=False, comment="finished_at, else started_at, else when it was first observed"),
        sa.PrimaryKeyConstraint("source", "pipeline", "load_id", "attempt", "table", name="pk_dq_loads"),
    )
    op.create_index("ix_dq_loads_source_pipeline_happened_at", "dq_loads", ["source", "pipeline", "happened_at"])
    half_done = sa.text("status = 'partial'")
    op.create_index("ix_dq_loads_half_done", "dq_loads", ["source"], sqlite_where=half_done, postgresql_where=half_done)


def _measurements() -> None:
    op.create_table(
        "dq_measurements",
        sa.Column("id", BIG_ID),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("scan_id", sa.Text, nullable=False, comment="measurements of one statement share it"),
        sa.Column("warehouse", sa.Text, nullable=False),
        sa.Column("dataset", sa.Text, nullable=False, comment="[catalog.][schema.]table as in check files"),
        sa.Column("metric", sa.Text, nullable=False, comment="the metric's name, such as row_count"),
        sa.Column("metric_key", sa.Text, nullable=False, comment="name and options"),
        sa.Column("where_text", sa.Text, nullable=False, comment="the filter; empty without one"),
        sa.Column("segment_by", sa.Text, nullable=False),
        sa.Column("series", sa.Text, nullable=False, comment="hash of table, metric, filter, segment_by, partition column and grain"),
        sa.Column("segment", sa.Text, nullable=False, comment="JSON object of the segment's values; {} without segment_by"),
        sa.Column("partition_column", sa.Text),
        sa.Column("partition_start", INSTANT),
        sa.Column("partition_end", INSTANT, comment="exclusive"),
        sa.Column("partition", sa.Text, nullable=False, comment="start/end; null: rows with a NULL key; empty: the whole table"),
        sa.Column("described_at", INSTANT, nullable=False, comment="the time that the value describes: partition start, else scheduled_at"),
        sa.Column("value", sa.Double, comment="of a histogram its rows; NULL: nothing to measure, not a number, or failed"),
        sa.Column("value_text", sa.Text, comment="the exact value: decimals, timestamps, texts, NaN, histograms"),
        sa.Column("failure", sa.Text, comment="why there is no value"),
        sa.Column("failure_message", sa.Text),
        sa.Column("scheduled_at", INSTANT, nullable=False),
        sa.Column("measured_at", INSTANT, nullable=False),
        sa.Column("duration_s", sa.Double, nullable=False, comment="of the whole statement"),
        sa.Column("version", sa.Integer, nullable=False, comment="1, and one more for each time that the same thing was measured again"),
        sa.Column("is_current", sa.Boolean, nullable=False, comment="the newest version that has a value; never of an ad-hoc run"),
        sa.Column("is_ad_hoc", sa.Boolean, nullable=False, comment="--at or --no-alerts: history and baselines ignore it"),
        sa.Column("proof", sa.Text, comment="what the warehouse said of the table before the scan; unchanged rows say the same"),
        sa.Column("reused_from", INSTANT, comment="when the value was really measured; NULL: by this run"),
        sa.Column("way", sa.Text, comment="how the value was had without counting the rows; NULL: by the plain statement"),
        sa.Column("revision", sa.BigInteger, nullable=False, comment="the number of the commit that wrote the row last; it only grows"),
        sa.PrimaryKeyConstraint("id", name="pk_dq_measurements"),
    )
    op.create_index("ix_dq_measurements_series_described_at", "dq_measurements", ["series", "described_at"])
    op.create_index("ix_dq_measurements_revision_id", "dq_measurements", ["revision", "id"])


def _meta() -> None:
    op.create_table(
        "dq_meta",
        sa.Column("key", sa.Text),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_dq_meta"),
    )


def _outages() -> None:
    op.create_table(
        "dq_outages",
        sa.Column("channel", sa.Text, comment="its name in the configuration; the row goes with the next message taken"),
        sa.Column("id", sa.Text, nullable=False, comment="random"),
        sa.Column("since", INSTANT, nullable=False, comment="the first failure after which nothing was taken"),
        sa.Column("tried_at", INSTANT, nullable=False, comment="the last failure"),
        sa.Column("reason", sa.Text, nullable=False, comment="of the last failure"),
        sa.Column("due_at", INSTANT, comment="when to decide who is told in its place; NULL: not before the next failure"),
        sa.PrimaryKeyConstraint("channel", name="pk_dq_outages"),
    )
    op.create_index("ix_dq_outages_due_at", "dq_outages", ["due_at"])
    op.create_table(
        "dq_stand_ins",
        sa.Column("stands_for", sa.Text, comment="dq_groups.id that was not taken; dq_outages.id: all less severe ones"),
        sa.Column("group_id", sa.Text, nullable=False, comment="dq_groups.id that tells it elsewhere; empty: nobody is told"),
        sa.PrimaryKeyConstraint("stands_for", name="pk_dq_stand_ins"),
    )


def _page_events() -> None:
    op.create_table(
        "dq_page_events",
        sa.Column("channel", sa.Text, comment="its name in the configuration"),
        sa.Column("id", sa.Text, comment="the service's own"),
        sa.Column("dedup_key", sa.Text, nullable=False, comment="the page that it is about"),
        sa.Column("at", INSTANT, nullable=False, comment="when it was done"),
        sa.PrimaryKeyConstraint("channel", "id", name="pk_dq_page_events"),
    )


def _pipelines() -> None:
    op.create_table(
        "dq_pipelines",
        sa.Column("source", sa.Text),
        sa.Column("pipeline", sa.Text),
        sa.Column("first_seen_at", INSTANT, nullable=False, comment="when dqmon first knew of it"),
        sa.Column("cron", sa.Text, comment="when the tool starts it, as far as it says"),
        sa.Column("every_s", sa.BigInteger, comment="the same, as an interval"),
        sa.Column("timezone", sa.Text, comment="of cron"),
        sa.Column("is_paused", sa.Boolean, comment="NULL: the tool cannot say"),
        sa.PrimaryKeyConstraint("source", "pipeline", name="pk_dq_pipelines"),
    )


def _results() -> None:
    op.create_table(
        "dq_results",
        sa.Column("id", sa.Text),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("check_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("dimension", sa.Text, nullable=False),
        sa.Column("warehouse", sa.Text),
        sa.Column("dataset", sa.Text, comment="NULL for a check of a pipeline"),
        sa.Column("pipeline", sa.Text, comment="source/pipeline"),
        sa.Column("columns", sa.Text, nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("partition_column", sa.Text),
        sa.Column("partition_start", INSTANT),
        sa.Column("partition_end", INSTANT, comment="exclusive"),
        sa.Column("partition", sa.Text, nullable=False, comment="start/end; null: rows with a NULL key; empty: the whole table"),
        sa.Column("segment", sa.Text, nullable=False, comment="JSON object of the segment's values; {} without segment_by"),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("observed_value", sa.Text, comment="as in the JSON output"),
        sa.Column("unit", sa.Text),
        sa.Column("ratio", sa.Double, comment="0 to 1"),
        sa.Column("rows_tested", sa.BigInteger),
        sa.Column("expected_low", sa.Double),
        sa.Column("expected_high", sa.Double),
        sa.Column("expected_text", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("runbook", sa.Text),
        sa.Column("description", sa.Text),
        sa.Column("source_path", sa.Text, nullable=False, comment="the check file"),
        sa.Column("source_line", sa.Integer, nullable=False),
        sa.Column("sql", sa.Text, nullable=False, comment="the statements behind the verdict"),
        sa.Column("scheduled_at", INSTANT, nullable=False),
        sa.Column("measured_at", INSTANT, nullable=False),
        sa.Column("duration_s", sa.Double, nullable=False),
        sa.Column("is_learning", sa.Boolean, nullable=False, comment="skipped because history is still too short"),
        sa.Column("is_ad_hoc", sa.Boolean, nullable=False, comment="--at or --no-alerts"),
        sa.Column("as_of", sa.Text, comment="current_contents: the table's present contents stood in for those of the slot"),
        sa.Column("baseline", sa.Text, nullable=False, comment="the points that an anomaly verdict rests on"),
        sa.Column("caused_by", sa.Text),
        sa.Column("reused", sa.Text),
        sa.Column("reproduce", sa.Text, comment="of a bad result: the statement that shows it"),
        sa.Column("ways", sa.Text, nullable=False, comment="how values were had without counting the rows"),
        sa.Column("day", sa.Date, nullable=False, comment="the day that the result counts for in dq_daily_score"),
        sa.Column("version", sa.Integer, nullable=False, comment="1, and one more for each time that the partition was judged again"),
        sa.Column("is_current", sa.Boolean, nullable=False, comment="the newest version; never of an ad-hoc run"),
        sa.Column("committed_at", INSTANT, nullable=False),
        sa.Column(
            "lateness_s", sa.Double, nullable=False, comment="from scheduled_at to measured_at; less than 0 when the clock went back"
        ),
        sa.Column("revision", sa.BigInteger, nullable=False, comment="the number of the commit that wrote the row last; it only grows"),
        sa.PrimaryKeyConstraint("id", name="pk_dq_results"),
    )
    op.create_index("ix_dq_results_check_id_scheduled_at", "dq_results", ["check_id", "scheduled_at"])
    op.create_index("ix_dq_results_run_id", "dq_results", ["run_id"])
    op.create_index("ix_dq_results_revision_id", "dq_results", ["revision", "id"])
    op.create_index("ix_dq_results_dataset_day", "dq_results", ["dataset", "day"])
    op.create_index(
        "uq_dq_results_slot",
        "dq_results",
        ["check_id", "partition", "segment", "scheduled_at"],
        unique=True,
        sqlite_where=sa.text("is_ad_hoc = 0"),
        postgresql_where=sa.text("NOT is_ad_hoc"),
    )


def _runs() -> None:
    op.create_table(
        "dq_runs",
        sa.Column("run_id", sa.Text),
        sa.Column("kind", sa.Text, nullable=False, comment="check: by hand; scheduled: by the daemon; backfill: past partitions, by hand"),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT, comment="NULL while running, and for ever when the run was killed"),
        sa.Column("is_ad_hoc", sa.Boolean, nullable=False),
        sa.Column("statements", sa.Integer, comment="data statements sent to warehouses"),
        sa.Column("exit_code", sa.Integer, comment="of a run by hand"),
        sa.PrimaryKeyConstraint("run_id", name="pk_dq_runs"),
    )
    op.create_index("ix_dq_runs_started_at", "dq_runs", ["started_at"])


def _schemas() -> None:
    op.create_table(
        "dq_schemas",
        sa.Column("id", BIG_ID),
        sa.Column("warehouse", sa.Text, nullable=False),
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("columns", sa.Text, nullable=False, comment="[{name, type, group, nullable, position}, ...]"),
        sa.Column("recorded_at", INSTANT, nullable=False, comment="when the table was first seen so"),
        sa.Column("accepted_at", INSTANT, comment="NULL: seen, not accepted"),
        sa.Column("accepted_by", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_dq_schemas"),
    )
    op.create_index("ix_dq_schemas_warehouse_dataset", "dq_schemas", ["warehouse", "dataset"])


def _fragments() -> None:
    op.create_table(
        "dq_fragments",
        sa.Column("id", BIG_ID),
        sa.Column("warehouse", sa.Text, nullable=False),
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("fragment", sa.Text, nullable=False, comment="the file or child table"),
        sa.Column("proof", sa.Text, nullable=False, comment="what the warehouse said of the fragment before it was read"),
        sa.Column("basis", sa.Text, nullable=False, comment="dqmon's version and the table's columns: other ones make other values"),
        sa.Column("state", sa.Text, nullable=False, comment="{series: {segment: value}}"),
        sa.Column("measured_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_dq_fragments"),
    )
    op.create_index("ix_dq_fragments_warehouse_dataset", "dq_fragments", ["warehouse", "dataset"])


def _slots() -> None:
    op.create_table(
        "dq_slots",
        sa.Column("check_id", sa.Text),
        sa.Column("pool", sa.Text, nullable=False, comment="the warehouse, or for checks of pipelines the source with a slash"),
        sa.Column("schedule", sa.Text, nullable=False, comment="the fingerprint of the schedule behind next_due_at"),
        sa.Column("next_due_at", INSTANT, comment="NULL: never"),
        sa.Column("last_slot_at", INSTANT, comment="the newest slot ever claimed"),
        sa.Column("slot_at", INSTANT, comment="the slot in progress"),
        sa.Column("attempt_token", sa.Text),
        sa.Column("claimed_at", INSTANT),
        sa.Column("epoch", sa.BigInteger, comment="of the leader that claimed"),
        sa.Column("gap_since", INSTANT, comment="the first slot of the last gap: slots that lapsed and did not run"),
        sa.Column("gap_until", INSTANT, comment="the slot that ran late in place of the gap's"),
        sa.PrimaryKeyConstraint("check_id", name="pk_dq_slots"),
    )
    op.create_index(
        "ix_dq_slots_claimed",
        "dq_slots",
        ["slot_at"],
        sqlite_where=sa.text("slot_at IS NOT NULL"),
        postgresql_where=sa.text("slot_at IS NOT NULL"),
    )
    op.create_index(
        "ix_dq_slots_due", "dq_slots", ["next_due_at"], sqlite_where=sa.text("slot_at IS NULL"), postgresql_where=sa.text("slot_at IS NULL")
    )


def _sources() -> None:
    op.create_table(
        "dq_sources",
        sa.Column("source", sa.Text),
        sa.Column("polled_at", INSTANT, comment="up to when its records have been read"),
        sa.Column("failed_at", INSTANT, comment="when it could not be read last"),
        sa.Column("failure", sa.Text, comment="why it could not be read last"),
        sa.PrimaryKeyConstraint("source", name="pk_dq_sources"),
    )


def _statements() -> None:
    op.create_table(
        "dq_statements",
        sa.Column("id", BIG_ID),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("warehouse", sa.Text, nullable=False),
        sa.Column("dataset", sa.Text, nullable=False, comment="the table that is checked; a join reads another one, too"),
        sa.Column("kind", sa.Text, nullable=False, comment="of the scan: aggregate, grouped, statement, query, rows, ..."),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("day", sa.Date, nullable=False, comment="of started_at, UTC: the day whose budget it counts for"),
        sa.Column("seconds", sa.Double, nullable=False, comment="as dqmon saw it, also of a statement that failed"),
        sa.Column("rows_read", sa.BigInteger, comment="NULL: the engine does not tell"),
        sa.Column("bytes_read", sa.BigInteger, comment="NULL: the engine does not tell"),
        sa.Column("bytes_billed", sa.BigInteger, comment="NULL: bytes are not paid for, or the engine does not tell"),
        sa.Column("statement_id", sa.Text, comment="the engine's own id, under which its history tells more"),
        sa.Column("credits", sa.Double, comment="in the warehouse's unit of payment; NULL: it has no price"),
        sa.Column("basis", sa.Text, nullable=False, comment="what credits rest on"),
        sa.Column("shares", sa.Text, nullable=False, comment="{check id: its part}, together 1"),
        sa.PrimaryKeyConstraint("id", name="pk_dq_statements"),
    )
    op.create_index("ix_dq_statements_warehouse_day", "dq_statements", ["warehouse", "day"])


def _feedback() -> None:
    op.create_table(
        "dq_feedback",
        sa.Column("incident_id", sa.Text, sa.ForeignKey("dq_incidents.id", name="fk_dq_feedback_incident_id", ondelete="CASCADE")),
        sa.Column("feedback", sa.Text, nullable=False, comment="real, expected or bad_threshold; the newest word counts"),
        sa.Column("said_by", sa.Text, nullable=False),
        sa.Column("said_at", INSTANT, nullable=False),
        sa.Column("note", sa.Text, nullable=False, comment="why, or how it was repaired; empty when nothing was written"),
        sa.PrimaryKeyConstraint("incident_id", name="pk_dq_feedback"),
    )


def _silences() -> None:
    op.create_table(
        "dq_silences",
        sa.Column("id", BIG_ID),
        sa.Column("selector", sa.Text, nullable=False, comment="which alerts are not told, as in routes; empty: all"),
        sa.Column(
            "incident_id",
            sa.Text,
            sa.ForeignKey("dq_incidents.id", name="fk_dq_silences_incident_id", ondelete="CASCADE"),
            comment="of a snooze: only alerts of this incident",
        ),
        sa.Column("start_at", INSTANT, nullable=False),
        sa.Column("end_at", INSTANT, nullable=False, comment="exclusive; when it was ended by hand, that time"),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("made_by", sa.Text, nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("expired_by", sa.Text, comment="who ended it before its time"),
        sa.PrimaryKeyConstraint("id", name="pk_dq_silences"),
    )
    op.create_index("ix_dq_silences_end_at", "dq_silences", ["end_at"])


def _incident_members() -> None:
    op.create_table(
        "dq_incident_members",
        sa.Column("incident_id", sa.Text, sa.ForeignKey("dq_incidents.id", name="fk_dq_incident_members_incident_id", ondelete="CASCADE")),
        sa.Column("check_id", sa.Text),
        sa.Column("kind", sa.Text),
        sa.Column("node", sa.Text, nullable=False, comment="warehouse:dataset or source/pipeline"),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("joined_at", INSTANT, nullable=False),
        sa.Column("slot", INSTANT, nullable=False, comment="the slot that fired"),
        sa.Column("left_at", INSTANT, comment="when its alert resolved"),
        sa.Column("caused_by", sa.Text, comment="the alert upstream that explains it: it is told to nobody by itself"),
        sa.Column("release_at", INSTANT, comment="of one with caused_by: from then on it is told if it is measured as bad again"),
        sa.PrimaryKeyConstraint("incident_id", "check_id", "kind", name="pk_dq_incident_members"),
    )
    op.create_index("ix_dq_incident_members_check_id", "dq_incident_members", ["check_id"])
    op.create_index(
        "ix_dq_incident_members_release",
        "dq_incident_members",
        ["release_at"],
        sqlite_where=sa.text("release_at IS NOT NULL"),
        postgresql_where=sa.text("release_at IS NOT NULL"),
    )
