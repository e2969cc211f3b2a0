"""What somebody who writes names, filters and queries may try: 300 names and more than 120 statements, for every engine (R30, R31)."""

from __future__ import annotations

from itertools import product

# fmt: off
_NAMES = [
    "a b", 'a"b', '"', '""', 'a"; drop table canary; --', "a'; drop table canary; --", "'; delete from canary; --", "x;--", "--", "/*", "*/",
    "/* x */", "a)", "(a", "a) from canary; --", "a.b", ".", "a,b", "*", "a*", "%", "%%", "%s", "%(x)s", "%(param_1)s", ":x", ":param_1", "a:b",
    "?", "$1", "$$", "@x", "#", "\\", "\\'", '\\"', "`", "[a]", "[", "]", "{a}", "{0}", "select", "from", "order", "group", "user", "table",
    "null", "true", "case", "Mixed Case", "MiXeD", "ümläut", "日本語", "🙂", "\u202ertl", "\u200bzero", "é", "a\tb", "a\nb", "a\rb", " lead", "trail ",
    " ", "0", "1a", "-1", "é" * 31, "x" * 63, "x" * 64, "y" * 200, "x or 1=1", "count(*)", "dq_rows", "dq_bucket", "dq_segment0", "m0", "a\0b", "\0",
    "__", "_", "a_b%c", "${jndi:ldap://x}", "{{7*7}}", "<script>", "=cmd|'/c calc'!A1", "\x7f", "\x1b[2J", "a\u0300", "ﬀ", "ı", "İ", "ß", "\ufeffbom", "\u2028",
    "true;", "e''", "x''", "n'a'", "0x41", "1e9", "$x$ $x$", "@@version", "#tmp", "##tmp", "dual", "information_schema.tables", "pg_catalog.pg_class",
    "sqlite_x", "main.canary", "canary ", " canary", "CANARY;", "canary--", "canary/*", "/*!50000 x*/", "/*+ hint */", "{dataset}", "dq_column0",
]
_OPENINGS = ['"', "'", "`", "]", '""', "''", "``", "]]", '\\"', "\\'", "\\`", ")", '")', "')", "%'", "\n"]
_REST = ["; drop table canary; --", "; delete from canary; --", " or 1=1; --", ", (select 1), ", "; create table evil (x int); --", " union select 1 --",
         " into evil from canary --", "; update canary set x = 2 /*", "; truncate canary #", " from canary where 1=1; select 1 as ",
         "; attach '/tmp/dqmon_evil.db' as e; --", " natural join canary --"]
# fmt: on
HOSTILE = tuple(dict.fromkeys([*_NAMES, *(f"a{opening}{rest}" for opening, rest in product(_OPENINGS, _REST))]))
"""Names of tables and columns."""

# fmt: off
ATTEMPTS = (
    # All engines.
    "insert into canary values (2)", "update canary set x = 2", "delete from canary", "drop table canary", "create table evil (x int)",
    "alter table canary add column y int", "create view evil as select 1", "create index evil on canary (x)", "drop view v",
    "alter table canary rename to evil", "create table evil as select * from canary", "insert into canary select 1", "analyze canary",
    "truncate canary", "truncate table canary", "create schema evil", "create or replace table canary (y int)", "drop schema public cascade",
    "merge into canary using (select 1 y) on x = y when matched then delete", "create temporary table evil (x int)", "drop table if exists canary",
    "with a as (select 1) insert into canary select * from a", "insert into canary values (3) returning x", "comment on table canary is 'evil'",
    "select 1; delete from canary", "commit; delete from canary", "rollback; delete from canary", "begin; delete from canary; commit",
    "select * from canary; drop table canary", "explain analyze delete from canary", "grant all on canary to public", "create role evil", "create user evil",
    # DuckDB.
    "copy canary to '/tmp/dqmon_evil.csv'", "copy (select 1) to '/tmp/dqmon_evil.parquet'", "attach '/tmp/dqmon_evil.db'", "attach '/tmp/dqmon_evil.db' as evil",
    "install httpfs", "load httpfs", "set enable_external_access = true", "set threads = 1", "set lock_configuration = false",
    "reset enable_external_access", "pragma enable_logging", "create sequence evil", "create macro main.evil() as 1",
    "create type evil as enum ('a')", "export database '/tmp/dqmon_evil'", "import database '/tmp/dqmon_evil'", "create persistent secret evil (type s3)",
    "select * from read_csv('/etc/passwd')", "select * from read_text('/etc/passwd')", "select * from '/etc/passwd'", "select * from glob('/etc/*')",
    "select * from query('drop table canary')", "select getenv('HOME')", "force checkpoint", "vacuum",
    # SQLite.
    "replace into canary values (2)", "detach main", "vacuum into '/tmp/dqmon_evil.db'", "reindex", "pragma journal_mode = wal", "pragma user_version = 7",
    "pragma writable_schema = on", "pragma query_only = off", "create temp table evil (x int)", "savepoint evil",
    "create trigger evil after insert on canary begin select 1; end", "create virtual table evil using fts5(x)",
    "select load_extension('/tmp/evil')", "select writefile('/tmp/dqmon_evil', 'x')", "select readfile('/etc/passwd')",
    # PostgreSQL.
    "copy canary to '/tmp/dqmon_evil'", "copy canary from '/etc/passwd'", "copy canary to program 'touch /tmp/dqmon_evil'",
    "copy (select 1) to program 'touch /tmp/dqmon_evil'", "select * into evil from canary",
    "with d as (delete from canary returning x) select * from d", "with i as (insert into canary values (9) returning x) select * from i",
    "with u as (update canary set x = 5 returning x) select * from u", "select nextval('s')", "select setval('s', 9)", "select lo_create(1)",
    "select lo_import('/etc/passwd')", "select lo_export(1, '/tmp/dqmon_evil')", "select pg_read_file('/etc/passwd')",
    "select pg_write_file('/tmp/dqmon_evil', 'x')", "select pg_terminate_backend(1)", "select pg_reload_conf()", "select pg_sleep(60)",
    "select dblink_exec('dbname=x', 'drop table canary')", "select query_to_xml('drop table canary', true, true, '')",
    "lock table canary", "select * from canary for update", "create extension dblink", "do $$ begin delete from canary; end $$",
    "set transaction read write", "set session characteristics as transaction read write; delete from canary", "select evil()",
    "create temp table evil (x int); insert into canary values (1)", "vacuum canary", "set transaction_read_only = off; create table evil (x int)",
    "select pg_catalog.set_config('transaction_read_only', 'off', true); delete from canary", "select set_config('transaction_read_only', 'off', false)",
    "refresh materialized view mv", "notify evil", "reindex table canary", "alter system set port = 1", "prepare p as delete from canary",
    # MySQL and MariaDB.
    "select 1 into outfile '/tmp/dqmon_evil'", "select 1 into dumpfile '/tmp/dqmon_evil'", "select load_file('/etc/passwd')", "load data infile '/etc/passwd' into table canary",
    "select sleep(60)", "select benchmark(1000000000, md5('a'))", "select get_lock('evil', 1)", "select 1 into @evil", "set @evil = 1", "set global read_only = 1",
    "set session transaction read write", "start transaction read write", "lock tables canary write", "flush tables", "kill 1", "handler canary open",
    "rename table canary to evil", "optimize table canary", "call evil()", "delete from canary -- x", "/*!50000 delete from canary */", "select 1 procedure analyse()",
    # ClickHouse.
    "alter table canary delete where 1", "optimize table canary final", "system shutdown", "system flush logs", "exchange tables canary and evil",
    "select * from file('/etc/passwd')", "select * from url('http://127.0.0.1/', 'CSV', 'x String')", "insert into function file('/tmp/dqmon_evil') select 1",
    "select * from canary into outfile '/tmp/dqmon_evil'", "set readonly = 0", "select 1 settings readonly = 0", "detach table canary",
    # Spark, Snowflake, SQL Server, Oracle.
    "insert overwrite table canary select 2", "add jar '/tmp/evil.jar'", "cache table canary", "msck repair table canary", "create function evil as 'x'",
    "select java_method('java.lang.Runtime', 'getRuntime')", "select reflect('java.lang.System', 'exit', 1)", "insert overwrite directory '/tmp/dqmon_evil' select 1",
    "put file:///etc/passwd @~", "copy into @~/evil from canary", "copy into canary from @~", "use role accountadmin", "alter session set timezone = 'UTC'",
    "select system$cancel_all_queries(1)", "execute immediate 'drop table canary'", "undrop table evil", "create stage evil",
    "exec xp_cmdshell 'id'", "select * from openrowset('x', 'y', 'z')", "exec('drop table canary')", "begin delete from canary; end;", "select dbms_xmlgen.getxml('x') from dual",
)
# fmt: on
"""Statements that write, or reach what is no table; `canary` (x: one row with 1) is there."""
