SELECT told.database_name, told.schema_name, told.name, told.state, told.error_message, told.scheduled_time, told.query_start_time, told.completed_time, told.run_id, told.attempt_number 
FROM (select database_name, schema_name, name, state, error_message, scheduled_time, query_start_time, completed_time, run_id, attempt_number from snowflake.account_usage.task_history where completed_time >= cast(%(since)s as timestamp_ltz) and completed_time < cast(%(until)s as timestamp_ltz) limit 10000) AS told
-- since: '2026-11-20 00:00:00+00:00'
-- until: '2026-11-20 14:00:00+00:00'
